"""Builds the tools and finds out which peers this machine can run."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys


@dataclasses.dataclass
class Tools:
    """Where things are; `None` stands for what is not to be had here."""

    ours: pathlib.Path | None
    bench: pathlib.Path
    peers: pathlib.Path
    c: pathlib.Path | None
    node: str | None
    python: str | None

    def program(self, name: str) -> pathlib.Path | None:
        """One of our binaries."""
        file = self.ours / name if self.ours else None
        return file if file and file.exists() else None


def note(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run_quietly(command: list[str], where: pathlib.Path) -> bool:
    """Whether the command succeeded; its output is shown only if it did not."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if done.returncode != 0:
        note(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.returncode == 0


def target_directory(crate: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or crate / "target").resolve()


def prepare(here: pathlib.Path, options) -> Tools:
    if not run_quietly(["cargo", "build", "--release", "--locked"], here):
        sys.exit(2)
    root = here.parent
    ours = options.bin
    if ours is None:
        built = run_quietly(["cargo", "build", "--release", "--locked", "-p", "cbw-services", "-p", "cbwgen"], root)
        ours = target_directory(root) / "release" if built else None
    tools = Tools(
        ours=ours.resolve() if ours else None,
        bench=target_directory(here) / "release",
        peers=here / "peers",
        c=build_c(here / "peers", target_directory(here) / "c"),
        node=prepare_node(here / "peers"),
        python=prepare_python(here / "peers"),
    )
    raise_file_limit()
    return tools


def build_c(peers: pathlib.Path, out: pathlib.Path) -> pathlib.Path | None:
    out.mkdir(parents=True, exist_ok=True)
    compiler = shutil.which("cc")
    if compiler is None:
        note("no `cc`: the C peers are left out")
        return None
    for source in sorted(peers.glob("*.c")):
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(out / source.stem), source.name, "-lzmq"]
        done = subprocess.run(command, cwd=peers, capture_output=True, text=True)
        if done.returncode != 0:
            note("the C peers are left out, they need libzmq's headers (Debian: `apt-get install libzmq3-dev`)")
            return None
    return out


def prepare_node(peers: pathlib.Path) -> str | None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        note("no `node` and `npm`: the Node.js peers are left out")
        return None
    if not (peers / "node_modules" / "zeromq").is_dir():
        if not run_quietly(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], peers):
            note("npm could not install `zeromq`: the Node.js peers are left out")
            return None
    return node


def prepare_python(peers: pathlib.Path) -> str | None:
    """A Python with pyzmq: this one, or a virtual environment beside the peers."""
    if subprocess.run([sys.executable, "-c", "import zmq"], capture_output=True).returncode == 0:
        return sys.executable
    folder = peers / "venv"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        made = run_quietly([sys.executable, "-m", "venv", str(folder)], peers) and run_quietly(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"], peers
        )
        if not made:
            note("pip could not install `pyzmq`: the pyzmq peers are left out")
            return None
        (folder / "ready").touch()
    return str(python)


def raise_file_limit() -> None:
    """10,000 clients are 10,000 descriptors, in the broker and in the generator."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
