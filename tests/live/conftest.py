"""A topology in a folder of its own, run as local processes."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

BIN = Path(os.environ.get("CBW_BIN", Path(__file__).parents[2] / "target" / "debug"))
CBWGEN = BIN / "cbwgen"
# Four workers that take a moment, so that a fault finds them busy and the tests end soon.
TOPOLOGY = """name = "live"
[broker.bro]
deadline = "500ms"
[worker.wor]
replicas = 4
service_time = "5ms"
[client.cli]
replicas = 2
[logger.log]
volume = "./logs:/var/log/cbw"
"""


def cbwgen(*arguments, check=None, **options):
    done = subprocess.run([CBWGEN, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def until(what, seconds=20):
    """Waits until `what()` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def processes_of(folder):
    """The processes that run for a topology, by the folder in their environment or command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            is_dead = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if os.fsencode(str(folder)) in text and not is_dead:
            found.append(int(entry.name))
    return found


class Live:
    """A running `cbwgen run`."""

    def __init__(self, folder, *arguments, text=TOPOLOGY, environment=None):
        self.folder = folder
        self.topology = folder / "topology.toml"
        self.topology.write_text(text)
        self.output = folder / "output"
        self.environment = {**os.environ, "CBW_TEST_FOLDER": str(folder), **(environment or {})}
        self.arguments = arguments
        self.process = None

    def start(self, wait=True):
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [CBWGEN, "run", self.topology, "--ports", "auto", *map(str, self.arguments)],
                stdout=output,
                stderr=output,
                env=self.environment,
            )
        if wait:
            until(lambda: self.process.poll() is not None or "processes started" in self.said())
            assert self.process.poll() is None, self.said()
            until(lambda: all(i["state"] == "exited" for i in self.instances() if i["role"] == "client"))
        return self

    def said(self):
        return self.output.read_text() if self.output.exists() else ""

    def status(self):
        return json.loads(cbwgen("status", self.topology, "--format", "json", check=0).stdout)

    def instances(self):
        return self.status()["instances"]

    def instance(self, name):
        return next(i for i in self.instances() if i["name"] == name)

    def verify(self, *arguments):
        done = cbwgen("verify", self.topology, "--format", "json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, {(c["name"], c["outcome"]) for c in json.loads(done.stdout)["checks"]}

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def is_gone(self):
        return processes_of(self.folder) == []


@pytest.fixture
def live(tmp_path):
    made = []

    def start(*arguments, wait=True, **options):
        made.append(Live(tmp_path, *arguments, **options))
        return made[-1].start(wait)

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
    until(lambda: processes_of(tmp_path) == [])
