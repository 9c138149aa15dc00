"""What runs is shown, proven, broken, changed and taken away: one story on the real engine, in this order."""

import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest
from conftest import PORT, REPOSITORY, docker, run

CBWGEN = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "cbwgen"


@pytest.fixture(scope="module")
def cbwl(deployment):
    deployed = deployment("topology.toml")
    deployed.make("deploy")
    return deployed


def cbwgen(deployment, command, *arguments, check=0):
    words = [arguments[0], deployment.spec, *arguments[1:]] if command in ("update", "fault") else [deployment.spec, *arguments]
    if command == "fault":
        words = [*arguments[:2], deployment.spec, *arguments[2:]]
    done = subprocess.run([CBWGEN, command, *map(str, words)], capture_output=True, text=True, timeout=600)
    assert done.returncode == check, done.stdout + done.stderr
    return done.stdout


def ids(deployment, service=None):
    return {c["Name"]: c["Id"] for c in deployment.containers(service)}


def outcomes(text):
    return {(c["name"], c["subject"], c["outcome"]) for c in json.loads(text)["checks"]}


def test_the_seven_and_their_addresses_are_shown(cbwl):
    status = json.loads(cbwgen(cbwl, "status", "--format", "json"))
    assert status["engine"] == "compose"
    assert [i["name"] for i in status["instances"]] == [
        *("log-1", "bro-1", "wor-1", "wor-2", "wor-3", "wor-4", "cli-1", "cli-2")
    ]
    assert all(i["addresses"] for i in status["instances"] if i["role"] != "client")
    [broker] = status["brokers"]
    assert (broker["ready"], broker["working"], broker["pending"]) == (4, 0, 0)
    assert f"0.0.0.0:{PORT} → 9998/tcp" in cbwgen(cbwl, "status")


def test_it_does_the_right_thing_under_faults_and_stays_the_same(cbwl):
    before = ids(cbwl)
    text = cbwgen(cbwl, "verify", "--faults", "kill,pause,cut,restart", "--format", "json")
    assert {outcome for _, _, outcome in outcomes(text)} == {"pass"}, text
    assert {name for name, _, _ in outcomes(text)} >= {"kill", "pause", "cut", "broker-restart", "logger-restart", "outside"}
    assert ids(cbwl) == before


def test_nothing_is_left_of_the_proof(cbwl):
    assert docker("ps", "-aq", "--filter", f"label=org.cbwgen.verify={cbwl.project}").split() == []


def test_a_worker_that_hangs_is_not_passed_over(cbwl):
    name = next(iter(ids(cbwl, "wor")))
    docker("pause", name)
    try:
        checks = outcomes(cbwgen(cbwl, "verify", "--faults", "none", "--format", "json", check=1))
    finally:
        docker("unpause", name)
    assert ("plan", "", "fail") in checks


def test_a_container_that_is_not_the_plans_is_found(cbwl):
    compose = cbwl.out / "docker-compose.yml"
    original = compose.read_text()
    compose.write_text(original.replace('DEADLINE: "2s"', 'DEADLINE: "9s"'))
    try:
        document = json.loads(cbwgen(cbwl, "verify", "--faults", "none", "--format", "json", check=1))
    finally:
        compose.write_text(original)
    [plan] = [check for check in document["checks"] if check["name"] == "plan"]
    assert "`bro-1` was started from another version of the Compose file" in plan["seen"]
    assert "is not what the topology gives" in plan["seen"]


def test_a_cut_by_hand_is_undone(cbwl):
    def networks(name):
        [container] = [c for c in cbwl.containers("wor") if c["Name"].endswith(name)]
        attached = container["NetworkSettings"]["Networks"]
        return {network: set(a["Aliases"]) for network, a in attached.items()}

    before = networks("wor-2")
    cbwgen(cbwl, "fault", "cut", "wor-2", "--for", "300ms")
    assert networks("wor-2") == before


@contextlib.contextmanager
def load(cbwl, seconds):
    """A client that asks all the time, and must get every answer."""
    [broker] = cbwl.containers("bro")
    [network] = [name for name in broker["NetworkSettings"]["Networks"] if name.endswith("bro-frontend")]
    client = subprocess.Popen(
        [
            *("docker", "run", "--rm", "--network", network, "--entrypoint", "/client", f"{cbwl.project}-cli"),
            *("CLI_load", "1000000", "bro", "9998", "--duration", f"{seconds}s", "--rate", "50", "--json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    time.sleep(1)
    yield
    said, _ = client.communicate(timeout=seconds + 60)
    answers = [json.loads(line) for line in said.splitlines()]
    assert client.returncode == 0 and len(answers) > 40 * seconds
    assert all(answer["reply"].startswith(f"CLI_load-{answer['n']} ") for answer in answers)


def test_workers_are_replaced_one_after_the_other_while_service_goes_on(cbwl):
    before = ids(cbwl)
    with load(cbwl, 30):
        said = cbwgen(cbwl, "update", "wor")
    after = ids(cbwl)
    assert said.endswith("wor: updated\n")
    workers = {identity for name, identity in before.items() if "-wor-" in name}
    assert len(ids(cbwl, "wor")) == 4 and not workers & set(after.values())
    assert {n: i for n, i in before.items() if "-wor-" not in n} == {n: i for n, i in after.items() if "-wor-" not in n}


def test_what_deploying_would_change_is_known_before(cbwl):
    assert cbwgen(cbwl, "plan", "--live") == "nothing would change\n"
    text = cbwl.spec.read_text()
    cbwl.spec.write_text(text.replace("replicas = 4", "replicas = 5\nservice_time = \"1ms\""))
    try:
        said = cbwgen(cbwl, "plan", "--live").splitlines()
    finally:
        cbwl.spec.write_text(text)
    assert "`wor`: 4 instances recreated, since its settings changed" in said
    assert "`wor`: 1 instance added" in said


def test_the_log_moves_and_the_old_one_stays(cbwl):
    before, old = ids(cbwl), (cbwl.folder / "logs" / "logs").read_bytes()
    text = cbwl.spec.read_text()
    cbwl.spec.write_text(text.replace("./logs:", "./elsewhere:"))
    assert cbwgen(cbwl, "plan", "--live").splitlines() == [
        "`log`: 1 instance recreated, since its settings changed",
        f"`log`: the log moves to `./elsewhere`; the old one stays in `{cbwl.folder}/logs`",
    ]
    cbwl.make("deploy")
    after = ids(cbwl)
    # Clients that have ended are started again by every deploy; of the others only the logger is new.
    assert {name for name in before if "-cli-" not in name and before[name] != after[name]} == {
        name for name in before if "-log-" in name
    }
    assert (cbwl.folder / "logs" / "logs").read_bytes().startswith(old)
    assert (cbwl.folder / "elsewhere" / "logs").stat().st_size > 0


@pytest.fixture
def outside():
    """Another machine: a network namespace whose only way is a cable to this one."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and `ip`")
    space, here = "cbw-outside", "10.78.0.1"
    run("ip", "netns", "delete", space, check=False)
    run("ip", "netns", "add", space)
    try:
        run("ip", "link", "add", "cbw-out0", "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "addr", "add", f"{here}/24", "dev", "cbw-out0")
        run("ip", "link", "set", "cbw-out0", "up")
        for words in (
            ("addr", "add", "10.78.0.2/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", here),
        ):
            run("ip", "-n", space, *words)
        yield ("ip", "netns", "exec", space), here
    finally:
        run("ip", "link", "delete", "cbw-out0", check=False)
        run("ip", "netns", "delete", space, check=False)


def test_another_machine_reaches_the_published_port_and_nothing_else(cbwl, outside):
    inside, here = outside
    client = cbwl.out / "bin" / "client"
    run(*inside, client, "CLI_outside", "5", here, PORT)
    for container in cbwl.containers():
        # The frontend itself is published; who knows its own address comes in that way too.
        is_broker = "-bro-" in container["Name"]
        for attached in container["NetworkSettings"]["Networks"].values():
            for address in filter(None, (here, attached["IPAddress"])):
                for port in (9998, 9999, 9995, 9100):
                    if is_broker and port == 9998 and address != here:
                        continue
                    knock = f"import socket; socket.create_connection(({address!r}, {port}), 0.3)"
                    assert run(*inside, "python3", "-c", knock, check=False).returncode != 0, (address, port)


def test_purge_takes_what_is_ours_and_nothing_else(cbwl):
    docker("tag", f"{cbwl.project}-wor", "somebody-elses")
    (cbwl.folder / "Dockerfile").write_text("FROM scratch\nLABEL org.cbwgen.topology=another\nCOPY topology.toml /\n")
    docker("build", "-q", "-t", "cbw-test-another", cbwl.folder)
    try:
        refused = cbwl.make("purge", check=False, env={"CONFIRM": ""})
        assert refused.returncode != 0 and "nothing was removed" in refused.stdout
        listed = cbwl.make("purge", "CONFIRM=yes").stdout
        assert f"image {cbwl.project}-bro:latest" in listed
        assert cbwl.containers() == []
        assert docker("images", "-q", "--filter", f"reference={cbwl.project}-*") == ""
        assert docker("images", "-q", "cbw-test-another") != ""
        assert docker("images", "-q", "somebody-elses") != "", "a name that somebody else gave stays"
        assert (cbwl.folder / "logs" / "logs").exists()
    finally:
        docker("rmi", "-f", "cbw-test-another", "somebody-elses")
