"""What lint says of each of `examples/bad/`, and what happens when it is deployed all the same.

Each test reads lint's words first: what they predict is what the rest of the test sees.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from conftest import HERE, PORT, REPOSITORY, Deployment, docker, run, states

CBWGEN = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "cbwgen"
PATIENCE = 120.0  # how long anything may take before the test says that it hangs


class Bad(Deployment):
    """An example that lint refuses, with the rule that refuses it lowered to a warning: so it can be rendered."""

    def lint(self):
        """What lint says of the example itself, in one line."""
        said = run(CBWGEN, "lint", self.spec.with_suffix(".original"), check=False)
        return " ".join(said.stdout.split())

    def build(self, *services):
        run(CBWGEN, "render", self.spec, "--out", self.out)
        shutil.copytree(self.programs, self.out / "bin")
        if services:
            self.compose("build", "-q", *services)

    def compose(self, *arguments, check=True, env=None):
        file = self.out / "docker-compose.yml"
        return run("docker", "compose", "-f", file, *arguments, check=check, env={**os.environ, **(env or {})})

    def read(self, container, path):
        """A file in a running container, whatever it is in."""
        return Path(f"/proc/{container['State']['Pid']}/root{path}").read_text()


@pytest.fixture(scope="module")
def programs(deployment):
    """The generator, and all static programs in one folder."""
    everything = deployment("topology.toml")
    everything.make("static")
    return everything.out / "bin"


@pytest.fixture
def bad(tmp_path_factory, programs):
    """A factory: `bad("two-brokers")` is a copy of the example to deploy in spite of lint; `change` alters its text."""
    made = []

    def copy(name, change=lambda text: text):
        folder = tmp_path_factory.mktemp(name)
        for parent in (folder, folder.parent, folder.parent.parent):
            parent.chmod(0o755)
        text = change((REPOSITORY / "examples" / "bad" / f"{name}.toml").read_text()).replace("9998", str(PORT))
        project = f"cbw-bad-{name}"
        spec = folder / "topology.toml"
        spec.write_text(f'name = "{project}"\n{text}\n[lints]\n{name} = "warning"\n')
        spec.with_suffix(".original").write_text(text)
        made.append(Bad(spec, project))
        made[-1].programs = programs
        return made[-1]

    yield copy
    for one in made:
        one.clean()


def until(condition, what):
    """Polls until the condition gives something true, and returns that."""
    give_up = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < give_up, f"still not so: {what}"
        time.sleep(0.1)
    return value


def addresses(container):
    return [network["IPAddress"] for network in container["NetworkSettings"]["Networks"].values()]


def is_answered(deployment, host, port):
    """Whether one request to a broker is answered."""
    client = deployment.out / "bin" / "client"
    patience = {"REQUEST_TIMEOUT": "3s", "REQUEST_TRIES": "1"}
    return run(client, "PROBE", 1, host, port, check=False, env={**os.environ, **patience}).returncode == 0


def test_two_brokers_one_starves_its_clients_and_nothing_says_so(bad):
    # A broker that listens on all its addresses, as those of other makers do.
    everywhere = '[broker.bro]\nenv = { BACKEND_HOST = "*" }'
    example = bad("two-brokers", lambda text: text.replace("[broker.bro]", everywhere))
    assert "a client whose instance has no worker gets no answer" in example.lint()

    example.build("bro", "wor")
    example.compose("up", "-d", "--wait", "bro", "wor")

    brokers = example.containers("bro")
    assert states(brokers) == [("running", 0, "healthy")] * 2
    # The worker has found one of them. Whoever DNS sends to the other one starves.
    assert sorted(is_answered(example, addresses(broker)[0], 9998) for broker in brokers) == [False, True]
    assert states(example.containers()) == [("running", 0, "healthy")] * 3
    assert not re.search("error|warn", example.compose("logs", "bro", "wor").stdout, re.IGNORECASE)


def test_two_brokers_of_ours_do_not_come_up_or_starve_clients(bad):
    example = bad("two-brokers")
    assert "an instance that DNS gives the other's address to listen on does not come up" in example.lint()

    example.build("bro", "wor")
    came_up = example.compose("up", "-d", "--wait", "bro", "wor", check=False).returncode == 0

    brokers = example.containers("bro")
    if came_up:
        answered = [is_answered(example, addresses(broker)[0], 9998) for broker in brokers]
        assert sorted(answered) == [False, True]
    else:
        assert "Cannot assign requested address" in example.compose("logs", "bro").stdout


def test_two_brokers_on_one_port_only_the_first_starts(bad):
    publish = "[broker.bro]\npublish = { frontend = 9998 }"
    example = bad("two-brokers", lambda text: text.replace("[broker.bro]", publish))
    assert f"all but one do not even start, because host port {PORT} is taken by the first" in example.lint()

    example.build("bro")
    refused = example.compose("up", "-d", "bro", check=False)

    assert refused.returncode != 0
    assert "port is already allocated" in refused.stdout
    assert sorted(status for status, _, _ in states(example.containers("bro"))) == ["created", "running"]


def test_port_clash_leaves_half_of_the_system(bad):
    example = bad("port-clash")
    predicted = 'Docker says "port is already allocated", and half of the system is deployed'
    assert predicted in example.lint()

    example.build("bro")
    # What the second component is does not matter, and a registry need not be asked.
    compose = example.out / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("nginx:1.28", f"{example.project}-bro"))
    refused = example.compose("up", "-d", "bro", "status", check=False)

    assert refused.returncode != 0
    assert "port is already allocated" in refused.stdout
    running = {one["Config"]["Labels"]["com.docker.compose.service"] for one in example.containers() if one["State"]["Running"]}
    assert len(running & {"bro", "status"}) == 1, "one of the two has the port"


def test_two_loggers_split_the_log(bad):
    # Everybody logs, and each logger into a file of its own: then it can be seen which has what.
    def change(text):
        return text.replace('volume = "./logs:/var/log/cbw"\n', "") + "\n[defaults]\nlogger = true\n"

    example = bad("two-loggers", change)
    assert "the log is split between them by chance" in example.lint()

    example.spec.write_text(example.spec.read_text() + 'logger-without-volume = "allow"\n')
    example.build("bro", "wor", "cli", "log")
    example.compose("up", "-d", "cli")
    clients = [container["Id"] for container in example.containers("cli")]
    docker("wait", *clients)

    loggers = example.containers("log")
    senders = {f"CLI_{client[:12]}" for client in clients} | {
        f"WOR_{worker['Id'][:12]}" for worker in example.containers("wor")
    }

    def heard():
        logs = [example.read(logger, "/var/log/cbw/logs") for logger in loggers]
        found = [{sender for sender in senders if sender in log} for log in logs]
        return found if senders == set.union(*found) else None

    first, second = until(heard, "each sender is in one of the logs")
    assert first | second == senders


def test_a_log_without_a_volume_is_lost(bad):
    example = bad("logger-without-volume")
    assert "the log is lost with the container: `docker compose down` deletes it" in example.lint()

    example.build("bro", "log")

    def log():
        [logger] = example.containers("log")
        return until(lambda: example.read(logger, "/var/log/cbw/logs"), "something was logged")

    example.compose("up", "-d", "bro")
    before = log()
    example.compose("down")
    example.compose("up", "-d", "bro")

    assert log().splitlines()[0] != before.splitlines()[0], "nothing of the first log is left"


def test_a_deadline_shorter_than_the_work_fails_every_request(bad):
    example = bad("deadline-shorter-than-work")
    said = example.lint()
    assert "every request is given to 2 workers, one after the other, before one can answer; then it fails" in said

    example.build("bro", "wor")
    example.compose("up", "-d", "--wait", "bro", "wor")
    [broker] = example.containers("bro")

    assert not is_answered(example, addresses(broker)[0], 9998)
    assert states(example.containers()) == [("running", 0, "healthy")] * 3


def test_a_client_outside_finds_nothing(bad):
    example = bad("outside-client-shut-out")
    assert "it connects to nothing" in example.lint()

    example.build("bro")
    example.compose("up", "-d", "--wait", "bro")

    assert not is_answered(example, "127.0.0.1", 9998)
    assert states(example.containers()) == [("running", 0, "healthy")]


# The firewall: on a machine with an engine and a ufw of its own, looked at from another machine.


class Machine:
    """A network namespace with an engine and a ufw."""

    name = "cbwbad"

    def __init__(self, folder):
        self.folder = folder
        self.env = {"DOCKER_HOST": f"unix://{folder}/docker.sock"}

    def ufw(self, *arguments):
        return run(HERE / "machine", "ufw", self.folder, self.name, *arguments).stdout

    def on(self, *command):
        return run(HERE / "machine", "on", self.name, *command)

    def is_reached(self, port, address="10.78.0.1"):
        """Whether its neighbour can connect."""
        script = f"import socket; socket.create_connection(('{address}', {port}), 2)"
        return run(HERE / "machine", "on", f"{self.name}-outside", "python3", "-c", script, check=False).returncode == 0


@pytest.fixture(scope="module")
def machine():
    missing = [tool for tool in ("ip", "nsenter", "ufw", "dockerd") if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root, {', '.join(missing) or 'nothing else'}")
    folder = tempfile.mkdtemp(prefix="cbw-", dir="/tmp")
    one = Machine(folder)
    try:
        run(HERE / "machine", "start", folder, one.name)
        one.ufw("--force", "enable")
        yield one
    finally:
        run(HERE / "machine", "stop", folder, one.name, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def deploy_on(machine, example):
    """Builds with the engine of the tests, and deploys the broker on the machine."""
    example.build("bro")
    image = f"{example.project}-bro"
    archive = f"{machine.folder}/{image}.tar"
    docker("save", image, "-o", archive)
    run("docker", "load", "-q", "-i", archive, env={**os.environ, **machine.env})
    example.compose("up", "-d", "--no-build", "--wait", "bro", env=machine.env)


def a_process_listens(machine, port):
    """A server of the host itself: what ufw says of it is true."""
    script = f"import socket,time; s=socket.create_server(('0.0.0.0', {port})); print(flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [HERE / "machine", "on", machine.name, "python3", "-c", script], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    return process


@pytest.mark.parametrize("name", ["ufw-port-denied", "ufw-port-not-allowed"])
def test_ufw_closes_a_port_and_docker_opens_it(bad, machine, name):
    example = bad(name)
    said = example.lint()
    rules = re.search(r"allow = \[(.*?)\](?:.*?deny = \[(.*?)\])?", example.spec.read_text(), re.DOTALL)
    for action, ports in zip(("allow", "deny"), rules.groups()):
        for port in re.findall(r'"(.*?)"', ports or ""):
            machine.ufw(action, port)
    try:
        deploy_on(machine, example)

        # lint says this, read from the machine's own ufw as well as from the example.
        status = Path(machine.folder, "status.txt")
        status.write_text(machine.ufw("status", "verbose"))
        live = " ".join(run(CBWGEN, "lint", example.spec.with_suffix(".original"), "--ufw", status, check=False).stdout.split())
        for text in (said, live):
            assert f"error[{name}]" in text or f"warning[{name}]" in text
        assert ("the port is open to the world although ufw says" if "denied" in name else "Docker goes round ufw") in said

        server = a_process_listens(machine, PORT + 1)
        try:
            assert not machine.is_reached(PORT + 1), "ufw works: it keeps others out of what it does not let in"
        finally:
            server.kill()
        assert machine.is_reached(PORT), "and Docker lets everybody in"

        # `cbwgen firewall` says so too, and its command makes ufw's word true.
        truth = run(CBWGEN, "firewall", example.spec, "--ufw", status).stdout
        assert "open to   everybody" in truth
        [command] = re.findall(r"to obey +sudo (.*)", truth)
        machine.on(*command.split())
        assert not machine.is_reached(PORT)
    finally:
        machine.on("iptables", "-F", "DOCKER-USER")
        example.compose("down", env=machine.env, check=False)
        machine.ufw("--force", "reset")
        machine.ufw("--force", "enable")
