"""What the tests of manifests share: a topology in a folder of its own, rendered, and read as Kubernetes would read it."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parent.parent.parent
EXAMPLES = ["topology.toml", *sorted(f"examples/{path.name}" for path in (REPOSITORY / "examples").glob("*.toml"))]


def run(*command, check=True, **options):
    """Runs a command; what it printed is in `stdout` and `stderr`."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=600, **options)
    assert not check or done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done


def skip(why):
    """As pytest.skip, unless everything is required."""
    if os.environ.get("CBW_KUBERNETES") == "required":
        pytest.fail(why)
    pytest.skip(why)


def objects(text):
    """The objects of a file by kind and name."""
    documents = [document for document in yaml.safe_load_all(text) if document]
    named = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    assert len(named) == len(documents), "two objects have one name"
    return named


@dataclass
class Rendered:
    """A topology's files for Kubernetes."""

    spec: Path

    @property
    def folder(self):
        return self.spec.parent / "generated" / "kubernetes"

    @property
    def manifests(self):
        return self.folder / "manifests.yaml"

    def render(self):
        return run(os.environ["CBWGEN"], "render", self.spec, "--target", "kubernetes")


@pytest.fixture(scope="session", params=EXAMPLES)
def example(request, tmp_path_factory):
    """Each example, copied with its folder and rendered."""
    source = REPOSITORY / request.param
    folder = tmp_path_factory.mktemp(source.stem)
    if source.parent == REPOSITORY:
        shutil.copy(source, folder)
    else:
        shutil.copytree(source.parent, folder, dirs_exist_ok=True)
    rendered = Rendered(folder / source.name)
    rendered.render()
    return rendered


@pytest.fixture
def topology(tmp_path):
    """A factory: a topology of these words, rendered, with a file `password.txt` beside it."""
    (tmp_path / "password.txt").write_text("correct horse")

    def make(text):
        rendered = Rendered(tmp_path / "topology.toml")
        rendered.spec.write_text(text)
        rendered.render()
        return rendered

    return make
