"""The reference topology on a real engine: one broker, four workers, two clients, a logger.

The tests tell one story from `make deploy` to the second `make deploy`, in this order.
"""

import os
import time

import pytest
from conftest import PORT, REPOSITORY, run, states

HEALTHY = ("running", 0, "healthy")


@pytest.fixture(scope="module")
def cbwl(deployment):
    return deployment("topology.toml")


@pytest.fixture(scope="module")
def deployed(cbwl):
    """What `make deploy` printed."""
    return cbwl.make("deploy").stdout


def test_deploy_brings_up_everything_healthy(cbwl, deployed):
    assert cbwl.services() == {"bro": 1, "cli": 2, "log": 1, "wor": 4}
    for service in ("bro", "wor", "log"):
        assert set(states(cbwl.containers(service))) == {HEALTHY}, service


def test_deploy_reports_that_both_clients_got_their_replies(cbwl, deployed):
    # A client ends with 0 only when each of its requests was answered with its own reply.
    assert deployed.count("ended with exit code 0") == 2
    assert [code for _, code, _ in states(cbwl.containers("cli"))] == [0, 0]


def test_containers_run_without_privileges(cbwl, deployed):
    for container in cbwl.containers():
        host = container["HostConfig"]
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root"), container["Name"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], container["Name"]
        assert any("no-new-privileges" in option for option in host["SecurityOpt"]), container["Name"]


def test_only_the_frontend_is_published(cbwl, deployed):
    published = {
        (c["Config"]["Labels"]["com.docker.compose.service"], inside, binding["HostPort"])
        for c in cbwl.containers()
        for inside, bindings in (c["NetworkSettings"]["Ports"] or {}).items()
        for binding in bindings or []
    }
    assert published == {("bro", "9998/tcp", str(PORT))}


def test_clients_reach_the_frontend_and_nothing_else(cbwl, deployed, probe):
    [network] = cbwl.containers("cli")[0]["NetworkSettings"]["Networks"]
    by_name = ["bro:9999", "log:9995"]
    by_address = [
        f"{attached['IPAddress']}:{port}"
        for service, port in (("bro", 9999), ("log", 9995))
        for attached in cbwl.containers(service)[0]["NetworkSettings"]["Networks"].values()
    ]
    answers = probe(network, ["bro:9998", *by_name, *by_address])
    assert answers.pop("bro:9998") == "open"
    assert set(answers.values()) == {"closed"}, answers


@pytest.mark.parametrize(("service", "target"), [("wor", "bro:9999"), ("bro", "log:9995")])
def test_who_needs_an_endpoint_reaches_it(cbwl, deployed, probe, service, target):
    networks = cbwl.containers(service)[0]["NetworkSettings"]["Networks"]
    assert "open" in [probe(network, [target])[target] for network in networks]


def test_a_client_on_the_host_comes_in_through_the_published_port(cbwl, deployed):
    run(cbwl.out / "bin" / "client", "OUTSIDE", 10, "127.0.0.1", PORT)


def test_the_log_is_in_the_host_folder(cbwl, deployed):
    log = cbwl.folder / "logs" / "logs"
    assert log.stat().st_size > 0
    assert log.stat().st_uid == (os.getuid() or 10001)


def test_scale_while_it_runs(cbwl, deployed):
    cbwl.make("scale", "wor=6")
    assert cbwl.services() == {"bro": 1, "cli": 2, "log": 1, "wor": 6}
    refused = cbwl.make("scale", "SCALE=bro=2", check=False)
    assert refused.returncode != 0
    assert cbwl.services()["bro"] == 1


def test_down_ends_all_in_time_and_a_new_deploy_continues_the_log(cbwl, deployed, capsys):
    log = cbwl.folder / "logs" / "logs"
    since = time.time()
    cbwl.make("down")
    seconds = time.time() - since
    ended = cbwl.exit_codes(since)
    with capsys.disabled():
        print(f"\n`make down` of {len(ended)} containers took {seconds:.1f} s")
    assert cbwl.containers() == []
    # 137 is SIGKILL: something did not end by itself within its grace period.
    assert {code for _, code in ended} == {0}, ended

    before = log.read_bytes()
    cbwl.make("deploy")
    after = log.read_bytes()
    assert after.startswith(before) and len(after) > len(before)


def test_ps_and_logs_show_what_was_deployed_last(cbwl, deployed):
    remembered = ("-C", REPOSITORY, f"DEPLOYED={cbwl.folder}/deployed")  # and no SPEC, as people type it
    assert "\nbro-1 " in run("make", "ps", *remembered).stdout
    assert "bro-1" in run("timeout", 5, "make", "logs", *remembered, check=False).stdout
