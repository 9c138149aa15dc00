"""Processes, ports and clients for the interop tests.

Nothing here asserts how long something takes: waits are polls with a limit that only a hang reaches.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import zmq

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ["CBW_BIN"])
PEERS = HERE / "peers"
NODE = shutil.which("node") if (HERE / "node_modules" / "zeromq").is_dir() else None

# How long anything may take before the test says that it hangs.
PATIENCE = 60.0
DIALECTS = ["short", "long", "guide", "ppp"]
WORKERS = [f"{api}-{dialect}" for api in ("pyzmq", "v5", "v6") for dialect in DIALECTS] + ["ours"]


def in_node(kind: str) -> bool:
    return kind.startswith(("v5", "v6", "lab"))


def cases(kinds: list[str]) -> list:
    """The kinds as parameters; those in Node.js are skipped where it is missing."""
    missing = pytest.mark.skipif(NODE is None, reason="no Node.js with `zeromq`")
    return [pytest.param(kind, marks=missing) if in_node(kind) else kind for kind in kinds]


def present(kinds: list[str]) -> list[str]:
    """Those of the kinds that can run here."""
    return [kind for kind in kinds if NODE or not in_node(kind)]


# Below those that the system gives to connections, which would take one while its broker is away for a moment.
PORTS = iter(range(13_000, 19_000))


def free_port() -> int:
    for port in PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 13000 and 19000")


def until(condition, what: str, patience: float = PATIENCE):
    """Polls until the condition gives something true, and returns that."""
    give_up = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < give_up, f"still not so after {patience:.0f} s: {what}"
        time.sleep(0.02)
    return value


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A peer; its output is kept in a file and shown when a test fails."""

    def __init__(self, command: list, output: pathlib.Path, env: dict | None = None):
        self.command = [str(part) for part in command]
        self.output = output
        with output.open("ab") as sink:
            self.popen = subprocess.Popen(
                self.command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
            )

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, also when it is stopped."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()

    def exit_code(self, patience: float = PATIENCE) -> int:
        return self.popen.wait(timeout=patience)

    def said(self) -> str:
        return self.output.read_text(errors="replace")


class Stage:
    """Everything that one test starts; it is killed when the test ends."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.processes: list[Process] = []
        self.sockets: list[zmq.Socket] = []
        self.context = zmq.Context()

    def start(self, *command, env: dict | None = None) -> Process:
        output = self.folder / f"{len(self.processes)}-{pathlib.Path(str(command[0])).name}.out"
        process = Process(list(command), output, env)
        self.processes.append(process)
        return process

    def listening(self, ports: list[int], *command, env: dict | None = None) -> Process:
        process = self.start(*command, env=env)

        def up() -> bool:
            assert process.popen.poll() is None, f"{process.command} ended: {process.said()}"
            return all(listens(port) for port in ports)

        until(up, f"{process.command} listens on {ports}")
        return process

    def broker(self, *arguments, **env) -> "Broker":
        """Our broker."""
        return Broker(self, lambda front, back: [BIN / "broker", front, back, *arguments], env)

    def foreign_broker(self, kind: str) -> "Broker":
        """A broker that other people might run."""
        if kind in ("lab-short", "lab-long"):
            layout = kind.removeprefix("lab-")
            return Broker(self, lambda front, back: [NODE, PEERS / "lab_broker.js", front, back, layout], {})
        program = {"lru": "lru_broker.py", "ppp-queue": "ppp_queue.py"}[kind]
        return Broker(self, lambda front, back: [sys.executable, PEERS / program, front, back], {})

    def worker(
        self, kind: str, name: str, port: int, delay_ms: int = 0, die_on: str | None = None, dialect: str = "ppp"
    ) -> Process:
        """A worker of one of the kinds in WORKERS. Ours speaks the dialect; the others have it in their kind's name."""
        if kind == "ours":
            env = {"SERVICE_TIME": f"{delay_ms}ms", "DIALECT": dialect}
            return self.start(BIN / "worker", name, "127.0.0.1", port, env=env)
        api, dialect = kind.split("-")
        if api == "pyzmq":
            poison = ["--die-on", die_on] if die_on else []
            return self.start(
                sys.executable, PEERS / "worker.py", dialect, name, port, "--delay", delay_ms, *poison
            )
        return self.start(NODE, PEERS / "worker.js", api, dialect, name, port, delay_ms)

    def socket(self, kind: int, port: int, identity: bytes = b"", **options) -> zmq.Socket:
        """A client's socket."""
        made = self.context.socket(kind)
        made.linger = 0
        if identity:
            made.identity = identity
        for name, value in options.items():
            setattr(made, name, value)
        made.connect(f"tcp://127.0.0.1:{port}")
        self.sockets.append(made)
        return made

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for made in self.sockets:
            made.close(0)
        self.context.term()

    def outputs(self) -> str:
        return "\n".join(f"--- {' '.join(p.command)}\n{p.said()[-2000:]}" for p in self.processes)


class Broker:
    """A broker on two ports of its own, which it keeps when it is started again."""

    def __init__(self, stage: Stage, command, env: dict):
        self.stage = stage
        self.frontend, self.backend = free_port(), free_port()
        self.command, self.env = command(self.frontend, self.backend), env
        self.start()

    def start(self) -> None:
        self.process = self.stage.listening([self.frontend, self.backend], *self.command, env=self.env)

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> int:
        self.process.signal(signal.SIGTERM)
        return self.process.exit_code()


def receive(made: zmq.Socket, patience: float = PATIENCE) -> list[bytes]:
    """The next message, or a failed test."""
    assert made.poll(patience * 1000), f"no message within {patience:.0f} s"
    return made.recv_multipart()


def ask(made: zmq.Socket, *body: bytes, patience: float = PATIENCE) -> list[bytes]:
    """One question on a REQ socket and its answer."""
    made.send_multipart(body)
    return receive(made, patience)


def pirate(stage: Stage, port: int, body: bytes, patience: float = PATIENCE, every: float = 1.5) -> list[bytes]:
    """Asks until there is an answer, each time from a fresh socket (the Guide's Lazy Pirate)."""
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        made = stage.socket(zmq.REQ, port)
        made.send(body)
        if made.poll(every * 1000):
            return made.recv_multipart()
        made.close(0)
    raise AssertionError(f"no answer to {body!r} within {patience:.0f} s")
