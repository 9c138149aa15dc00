"""Docker without Compose: the script of `--target script` deploys the same, can be run again, and keeps to its own."""

import json
import os

import pytest
from conftest import docker, run

# Every key that `docker run` has an option for, on programs that are built here.
TOPOLOGY = """
name = "swarm-script-test"

[broker.bro]
publish = { frontend = "127.0.0.1:19997" }

[worker.wor]
replicas = 2
env = { GREETING = "two words, $HOME, ${UNSET:-`a default`} and \\"quotes\\"", LINES = "one\\ntwo" }
resources = { cpus = 0.5, memory = "64MiB" }
secrets = { TOKEN = { file = "./token.txt" } }
tmpfs = ["/tmp"]
stop_grace = "1500ms"
restart = "on-failure"

[worker.own]
read_only = false
cap_add = ["NET_BIND_SERVICE"]
secrets = { PASSWORD = { env = "SWARM_SCRIPT_PASSWORD" } }
volumes = ["state:/state"]
user = "10002:10002"

[client.cli]
replicas = 2

[logger.log]
volume = "./logs:/var/log/cbw"
"""
PASSWORD = "pass$word `x` \"y\""
ENVIRONMENT = {"SWARM_SCRIPT_PASSWORD": PASSWORD}
MINE = "label=org.cbwgen.component"


@pytest.fixture(scope="module")
def script(deployment):
    one = deployment("topology.toml")
    one.spec.write_text(TOPOLOGY)
    one.project = "swarm-script-test"
    (one.folder / "token.txt").write_text("secret")
    (one.folder / "token.txt").chmod(0o644)
    yield one
    for container in mine(one):
        docker("rm", "-fv", container["Id"])
    for kind in ("network", "volume"):
        for name in docker(kind, "ls", "-q", f"--filter=label=org.cbwgen.topology={one.project}").split():
            docker(kind, "rm", name)
    run("docker", "volume", "rm", f"{one.project}_state", check=False)


def mine(one):
    """What `docker inspect` says of the script's containers."""
    ids = docker("ps", "-aq", f"--filter=label=org.cbwgen.topology={one.project}", "--filter", MINE).split()
    return json.loads(docker("inspect", *ids)) if ids else []


def make(one, target, *variables, to="script", check=True):
    return one.make(target, f"TARGET={to}", *variables, check=check, env=ENVIRONMENT)


def settings(container, one):
    """All that a topology decides of a container, in one form for both ways of starting it."""
    config, host = container["Config"], container["HostConfig"]
    health = dict(config.get("Healthcheck") or {})
    health.pop("StartInterval", None)
    labels = {k: v for k, v in config["Labels"].items() if k.startswith("org.") and k not in OF_THE_SCRIPT}
    networks = {
        name.removeprefix(one.project)[1:]: {a for a in of["Aliases"] or [] if not container["Id"].startswith(a)}
        - {container["Name"][1:]}
        for name, of in container["NetworkSettings"]["Networks"].items()
    }
    mounts = {
        (m["Type"], m.get("Name", m["Source"]).replace(f"{one.project}_", f"{one.project}-"), m["Destination"], m["RW"])
        for m in container["Mounts"]
    }
    return {
        "command": (config["Entrypoint"], config["Cmd"]),
        "env": sorted(config["Env"]),
        "user": config["User"],
        "health": health,
        "labels": labels,
        "networks": networks,
        "mounts": mounts,
        "tmpfs": host.get("Tmpfs") or {},
        "ports": {k: v for k, v in (host["PortBindings"] or {}).items() if v},
        "restart": host["RestartPolicy"]["Name"],
        "stop": config.get("StopTimeout"),
        "rights": (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"], host["SecurityOpt"], host["Privileged"]),
        "limits": (host["NanoCpus"], host["Memory"]),
        "init": bool(host.get("Init")),
        "log": host["LogConfig"],
    }


OF_THE_SCRIPT = ("org.cbwgen.component", "org.cbwgen.config", "org.cbwgen.networks")


def by_name(containers, one):
    return {c["Name"].lstrip("/"): settings(c, one) for c in containers}


@pytest.fixture(scope="module")
def composed(script):
    """What Compose makes of the topology."""
    make(script, "deploy", to="compose")
    said = by_name(script.containers(), script)
    assert len(said) == 7
    make(script, "down", to="compose")
    return said


@pytest.fixture(scope="module")
def deployed(script, composed):
    return make(script, "deploy").stdout


def test_every_container_is_as_compose_makes_it(script, composed, deployed):
    ours = by_name(mine(script), script)
    assert sorted(ours) == sorted(composed)
    for name, theirs in composed.items():
        assert ours[name] == theirs, name


def test_all_is_healthy_and_both_clients_got_their_replies(script, deployed):
    assert deployed.count("ended with exit code 0") == 2, deployed
    health = {c["State"]["Health"]["Status"] for c in mine(script) if "Health" in c["State"]}
    assert health == {"healthy"}


def test_it_is_shown_and_does_the_right_thing(script, deployed):
    said = make(script, "ps").stdout
    assert f"{script.project} (script)" in said and "3 ready, 0 working, 0 pending" in said, said
    assert " 0 failed" in make(script, "verify", "FAULTS=kill,cut").stdout


def test_secrets_are_in_the_container_and_in_no_file_of_ours(script, deployed):
    [own] = [c for c in mine(script) if "-own-" in c["Name"]]
    copied = script.folder / "copied"
    docker("cp", f"{own['Id']}:/run/secrets/PASSWORD", copied)
    assert copied.read_text() == PASSWORD
    text = (script.out / "deploy.sh").read_text()
    assert "pass$word" not in text and PASSWORD not in docker("inspect", own["Id"])
    assert os.access(script.out / "deploy.sh", os.X_OK)


def test_a_second_run_changes_nothing_but_asks_again(script, deployed):
    before = {c["Id"] for c in mine(script)}
    again = make(script, "deploy").stdout
    assert {c["Id"] for c in mine(script)} == before
    assert again.count("ended with exit code 0") == 2


def test_a_changed_component_alone_is_replaced(script, deployed):
    before = {c["Name"]: c["Id"] for c in mine(script)}
    script.spec.write_text(script.spec.read_text().replace('stop_grace = "1500ms"', 'stop_grace = "3s"'))
    make(script, "deploy")
    after = {c["Name"]: c["Id"] for c in mine(script)}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {f"/{script.project}-wor-1", f"/{script.project}-wor-2"}


def test_scale_while_it_runs(script, deployed):
    for count in (4, 1):
        make(script, "scale", f"SCALE=wor={count}")
        assert sum("-wor-" in c["Name"] for c in mine(script)) == count
    assert "\nwor-1 " in make(script, "ps").stdout


def test_down_leaves_the_log_and_what_others_made_and_a_new_deploy_continues(script, deployed):
    log = script.folder / "logs" / "logs"
    before = log.read_bytes()
    make(script, "down")
    assert mine(script) == []
    assert docker("network", "ls", "-q", f"--filter=label=org.cbwgen.topology={script.project}") == ""
    # As Compose names and labels it: the first name that the script would give.
    foreign = docker(
        *("create", "--name", f"{script.project}-log-1", "--label", f"org.cbwgen.topology={script.project}"),
        f"{script.project}-log:script",
    )
    refused = make(script, "deploy", check=False)
    assert refused.returncode != 0 and "this script did not make it" in refused.stdout
    make(script, "down")
    assert docker("ps", "-aq", "--no-trunc", f"--filter=id={foreign}") == foreign
    docker("rm", foreign)
    make(script, "deploy")
    after = log.read_bytes()
    assert after.startswith(before) and len(after) > len(before)
    make(script, "down")
