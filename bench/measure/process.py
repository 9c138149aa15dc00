"""One peer as a process, with fresh ports, ended when the block ends."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command: list, ports: list[int], env: dict | None = None):
    """The process, once it listens on the ports. What it prints is thrown away, as in a container without a reader."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    try:
        give_up = time.monotonic() + 20
        while not all(listens(port) for port in ports):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"`{pathlib.Path(str(command[0])).name}` does not listen on {ports}")
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def result(command: list, seconds: float = 120) -> dict | None:
    """The line of JSON that a tool prints, or what kept it from doing so."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0 or not done.stdout.strip():
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])
