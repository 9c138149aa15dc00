"""The reference deployment on a Swarm of three machines: one broker, four workers, two clients, a logger.

The tests tell one story, in this order: deployed, a machine lost and found, updated, a bad update, scaled, taken down and
deployed again at once. Load runs through the three middle ones, and every request of it must be answered.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
STATE = Path(os.environ.get("CBW_SWARM_DIR", "/var/lib/cbw-swarm"))
SOCKETS = {f"node{n}": f"unix://{STATE}/{n}/docker.sock" for n in (1, 2, 3)}
BROKER = "10.77.0.1"  # node1, where the topology places it
STACK = "cbwl-swarm"


def run(*command, check=True, **options):
    """Runs a command and returns what it printed, both streams in one."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        **options,
    )
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done


def docker(*arguments, node="node1"):
    return run("docker", "--host", SOCKETS[node], *arguments).stdout.strip()


def tasks(service):
    """(node, image, state) of each instance that is meant to run."""
    lines = docker(
        *("service", "ps", f"{STACK}_{service}", "--filter", "desired-state=running"),
        *("--format", "{{.Node}} {{.Image}} {{.CurrentState}}"),
    ).splitlines()
    return [tuple(line.split()[:3]) for line in lines]


def wait_for(what, seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s\n{docker('stack', 'ps', STACK)}"
        time.sleep(0.3)


def all_run(service, count):
    return [state for _, _, state in tasks(service)] == ["Running"] * count


class Stack:
    """The topology of `examples/swarm.toml` in a folder of its own."""

    def __init__(self, folder):
        self.spec = folder / "swarm.toml"
        self.out = folder / "generated"
        shutil.copy(REPOSITORY / "examples/swarm.toml", self.spec)

    def make(self, target, *variables, check=True):
        return run(
            *("make", "-C", REPOSITORY, target, "TARGET=swarm", f"SPEC={self.spec}", f"OUT={self.out}"),
            *(f"DEPLOYED={self.spec.parent}/deployed", f"NODES={SOCKETS['node2']} {SOCKETS['node3']}", *variables),
            check=check,
            env={**os.environ, "DOCKER_HOST": SOCKETS["node1"]},
        )

    @contextlib.contextmanager
    def load(self):
        """Requests from another machine through the published port, until the block ends; none may stay without its answer."""
        client = subprocess.Popen(
            [
                *("ip", "netns", "exec", "cbw-node2", self.out / "bin" / "client", "LOAD", "--duration", "10m"),
                *("--rate", "40", "--concurrency", "4", "--request-timeout", "15s", "--json", "--quiet"),
            ],
            stderr=subprocess.PIPE,  # where the summary goes
            text=True,
            env={**os.environ, "BROKER_HOST": BROKER, "BROKER_PORT": "9998"},
        )
        try:
            yield
            assert client.poll() is None, "the load ended before its time"
        finally:
            client.terminate()  # asks nothing new, and waits for the answers that are due
            _, said = client.communicate(timeout=60)
        summary = json.loads(said.splitlines()[-1])
        assert summary["failed"] == summary["wrong"] == 0 and summary["answered"] > 50, summary


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swarm")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # containers write the log as a user of their own
    return Stack(folder)


@pytest.fixture(scope="module")
def deployed(stack):
    """What `make deploy` printed."""
    return stack.make("deploy").stdout


def images(stack, name, instruction):
    """Another image of the workers on every node, made of the one that runs."""
    current = tasks("wor")[0][1]
    image = f"{STACK}-wor:{name}"
    run(
        *("docker", "--host", SOCKETS["node1"], "build", "-q", "-t", image, "-"),
        input=f"FROM {current}\n{instruction}\n",
    )
    for node in ("node2", "node3"):
        saved = f"docker --host {SOCKETS['node1']} save {image} | docker --host {SOCKETS[node]} load -q"
        run("bash", "-o", "pipefail", "-c", saved)
    return image


def update(image):
    """Updates the workers as `docker stack deploy` would; what came of it."""
    docker("service", "update", "--detach", "--image", image, "--no-resolve-image", f"{STACK}_wor")
    state = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
    ended = ("completed", "rollback_completed", "paused", "rollback_paused")
    said = []

    def is_over():
        said.append(docker("service", "inspect", "--format", state, f"{STACK}_wor"))
        return said[-1] in ended

    wait_for("the end of the update", 90, is_over)
    return said[-1]


def test_deploy_brings_up_everything_and_both_clients_get_their_replies(stack, deployed):
    assert deployed.count("ended with exit code 0") == 2, deployed
    for service, count in (("bro", 1), ("log", 1), ("wor", 4)):
        assert all_run(service, count), tasks(service)


def test_workers_are_spread_over_the_nodes_and_the_others_are_where_they_were_placed(stack, deployed):
    assert {node for node, _, _ in tasks("wor")} == set(SOCKETS)
    assert [node for service in ("bro", "log") for node, _, _ in tasks(service)] == ["node1", "node1"]


def test_every_worker_has_an_identity_of_its_own(stack, deployed):
    log = (stack.spec.parent / "logs/logs").read_text()
    workers = set(re.findall(r"worker=(\S+)", log))
    assert len(workers) == 4 and {re.search("node[123]", worker)[0] for worker in workers} == set(SOCKETS), workers


def test_all_instances_are_shown_with_their_nodes(stack, deployed):
    said = stack.make("ps").stdout
    assert "cbwl-swarm (swarm)" in said and "4 ready, 0 working, 0 pending" in said, said
    assert all(f"{name} " in said for name in ("bro-1", "log-1", "wor-1", "wor-4")) and "node3" in said, said
    assert f"{BROKER}:9998" in said, said


def test_it_does_the_right_thing_under_faults(stack, deployed):
    said = stack.make("verify", "FAULTS=kill,pause,restart").stdout
    assert "verified: " in said and " 0 failed" in said, said
    for check in ("own-answers", "no-idle-worker", "spread", "kill", "pause", "broker-restart", "log", "logger-restart"):
        assert re.search(f"^pass +{check} ", said, re.MULTILINE), said


def test_containers_run_without_privileges(stack, deployed):
    for node in SOCKETS:
        for container in docker("ps", "-q", node=node).split():
            [said] = json.loads(docker("inspect", container, node=node))
            assert said["Config"]["User"].split(":")[0] not in ("", "0", "root"), said["Name"]
            assert said["HostConfig"]["ReadonlyRootfs"] and said["HostConfig"]["CapDrop"] == ["ALL"], said["Name"]


def test_a_node_that_is_cut_off_under_load_costs_no_answer_and_comes_back(stack, deployed):
    def status(node):
        return docker("node", "inspect", "--format", "{{.Status.State}}", node)

    with stack.load():
        time.sleep(1)
        run(HERE / "cluster", "cut", 3)
        wait_for("the loss of node3", 60, lambda: status("node3") == "down")
        wait_for("workers elsewhere", 60, lambda: all_run("wor", 4) and "node3" not in {node for node, _, _ in tasks("wor")})
        run(HERE / "cluster", "mend", 3)
        wait_for("node3", 60, lambda: status("node3") == "ready")
        # Its old workers are told that they are no longer wanted.
        wait_for("the end of what ran there", 30, lambda: docker("ps", "-q", node="node3") == "")


def test_a_rolling_update_under_load_loses_nothing(stack, deployed):
    image = images(stack, "next", "LABEL next=1")
    with stack.load():
        assert update(image) == "completed", docker("service", "ps", "--no-trunc", f"{STACK}_wor")
        assert {image for _, image, _ in tasks("wor")} == {image} and all_run("wor", 4)
    # The node that was away has work again.
    assert "node3" in {node for node, _, _ in tasks("wor")}


def test_a_bad_image_is_rolled_back_under_load(stack, deployed):
    before = tasks("wor")[0][1]
    image = images(stack, "bad", 'ENTRYPOINT ["/nothing"]')
    with stack.load():
        assert update(image) == "rollback_completed", docker("service", "ps", "--no-trunc", f"{STACK}_wor")
        wait_for("the workers", 30, lambda: all_run("wor", 4) and {image for _, image, _ in tasks("wor")} == {before})


def test_scale_while_it_runs(stack, deployed):
    stack.make("scale", "SCALE=wor=6")
    assert all_run("wor", 6)
    refused = stack.make("scale", "SCALE=bro=2", check=False)
    assert refused.returncode != 0 and "two-brokers" in refused.stdout
    assert all_run("bro", 1)


def test_ps_shows_what_was_deployed_last(stack, deployed):
    remembered = ("-C", REPOSITORY, f"DEPLOYED={stack.spec.parent}/deployed")  # and no SPEC, as people type it
    said = run("make", "ps", *remembered, env={**os.environ, "DOCKER_HOST": SOCKETS["node1"]}).stdout
    assert f"{STACK} (swarm)" in said and "bro-1 " in said


def test_down_and_at_once_deploy_again_and_the_log_goes_on(stack, deployed):
    log = stack.spec.parent / "logs/logs"
    stack.make("down")
    assert docker("service", "ls", "-q") == ""
    before = log.read_bytes()
    assert stack.make("deploy").stdout.count("ended with exit code 0") == 2
    after = log.read_bytes()
    assert after.startswith(before) and len(after) > len(before)
    stack.make("down")
