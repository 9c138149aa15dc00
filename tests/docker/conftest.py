"""What the tests of real deployments share: a topology in a folder of its own, `make`, and what the engine says."""

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
# Published instead of 9998, so that a deployment of the developer's own is not in the way.
PORT = int(os.environ.get("CBW_PORT", "19998"))


def run(*command, check=True, **options):
    """Runs a command and returns what it printed, both streams in one."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        **options,
    )
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done


def docker(*arguments):
    return run("docker", *arguments).stdout.strip()


@dataclass
class Deployment:
    """One topology file, copied with its folder, under a project name of its own."""

    spec: Path
    project: str

    @property
    def folder(self):
        return self.spec.parent

    @property
    def out(self):
        return self.folder / "generated"

    def make(self, target, *variables, check=True, env=None):
        """`make TARGET`, with the state that `deploy` remembers beside the topology."""
        return run(
            *("make", "-C", REPOSITORY, target, f"SPEC={self.spec}", f"OUT={self.out}"),
            *(f"DEPLOYED={self.folder}/deployed", *variables),
            check=check,
            env={**os.environ, **(env or {})},
        )

    def containers(self, service=None):
        """What `docker inspect` says of each container of the project (or of one service), running or not."""
        filters = [f"--filter=label=com.docker.compose.project={self.project}"]
        if service:
            filters.append(f"--filter=label=com.docker.compose.service={service}")
        ids = docker("ps", "-aq", *filters).split()
        return json.loads(docker("inspect", *ids)) if ids else []

    def services(self):
        """How many containers each service has."""
        names = [c["Config"]["Labels"]["com.docker.compose.service"] for c in self.containers()]
        return {name: names.count(name) for name in sorted(names)}

    def exit_codes(self, since):
        """(container, exit code) of all that ended since then, removed ones too."""
        events = docker(
            *("events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}", "--format", "{{json .}}"),
            *("--filter", "type=container", "--filter", "event=die"),
            *("--filter", f"label=com.docker.compose.project={self.project}"),
        )
        attributes = [json.loads(line)["Actor"]["Attributes"] for line in events.splitlines()]
        return [(a["name"], int(a["exitCode"])) for a in attributes]

    def clean(self):
        """Leaves nothing of it on the engine."""
        for container in self.containers():
            docker("rm", "-fv", container["Id"])
        for kind in ("network", "volume"):
            for one in docker(kind, "ls", "-q", f"--filter=label=com.docker.compose.project={self.project}").split():
                docker(kind, "rm", one)


def states(containers):
    """(running or exited, exit code, health) of each."""
    return [
        (c["State"]["Status"], c["State"]["ExitCode"], c["State"].get("Health", {}).get("Status")) for c in containers
    ]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """A factory: `deployment("examples/cbw.toml")` is a copy to deploy, taken away after the module's tests."""
    made = []

    def copy(source):
        folder = tmp_path_factory.mktemp(Path(source).stem)
        source = REPOSITORY / source
        if source.parent == REPOSITORY:
            shutil.copy(source, folder)
        else:
            shutil.copytree(source.parent, folder, dirs_exist_ok=True)
        # Containers write bind-mounted folders as a user of their own, who must be able to reach them.
        for parent in (folder, folder.parent, folder.parent.parent):
            parent.chmod(0o755)
        spec = folder / source.name
        text = spec.read_text()
        [name] = re.findall(r'^name = "(.*?)"', text, re.MULTILINE)
        project = f"{name}-test"
        text = text.replace(f'name = "{name}"', f'name = "{project}"', 1)
        spec.write_text(re.sub(r"(publish = \{.*?)\b9998\b", rf"\g<1>{PORT}", text))
        made.append(Deployment(spec, project))
        return made[-1]

    yield copy
    for one in made:
        one.clean()


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """An image with a program that says which of its arguments HOST:PORT accept a connection."""
    folder = tmp_path_factory.mktemp("probe")
    run(
        *("rustc", "-O", "--edition=2024", "-Ctarget-feature=+crt-static"),
        *("-o", folder / "probe", HERE / "probe.rs"),
    )
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY probe /probe\nENTRYPOINT ["/probe"]\n')
    docker("build", "-q", "-t", "cbw-test-probe", folder)

    def ask(network, addresses):
        answers = docker("run", "--rm", "--network", network, "cbw-test-probe", *addresses)
        return dict(line.split() for line in answers.splitlines())

    yield ask
    docker("rmi", "-f", "cbw-test-probe")
