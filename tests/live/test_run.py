"""`cbwgen run` and `cbwgen status`: ordered start and stop, and nothing that stays behind."""

import os
import re
import signal
import socket

from conftest import TOPOLOGY, cbwgen, until


def test_it_ends_with_its_clients_and_keeps_the_log(live, tmp_path):
    run = live("--until-done", wait=False)
    assert run.process.wait(timeout=60) == 0, run.said()
    started = re.findall(r"^started ([\w-]+)", run.said(), re.MULTILINE)
    assert started == ["log-1", "bro-1", "wor-1", "wor-2", "wor-3", "wor-4", "cli-1", "cli-2"]
    assert "cli-1 ended with exit code 0" in run.said() and "cli-2 ended with exit code 0" in run.said()
    assert run.said().index("stopped wor-1") < run.said().index("stopped bro-1") < run.said().index("stopped log-1")
    assert len(re.findall("reply id=", (tmp_path / "logs" / "logs").read_text())) == 20
    assert run.is_gone() and not (tmp_path / ".cbwgen").exists()


def test_a_client_that_fails_is_told(live):
    impatient = '[client.cli]\nenv = { REQUEST_TIMEOUT = "1ms", REQUEST_TRIES = "1" }'
    run = live("--until-done", wait=False, text=TOPOLOGY.replace("[client.cli]", impatient, 1))
    assert run.process.wait(timeout=60) == 1
    assert "cli-1 ended with exit code 1" in run.said()


def test_each_replica_and_each_address_is_shown(live):
    status = live().status()
    assert status["engine"] == "local"
    assert [i["name"] for i in status["instances"]] == ["log-1", "bro-1", "wor-1", "wor-2", "wor-3", "wor-4", "cli-1", "cli-2"]
    assert status["brokers"] == [{"name": "bro-1", "ready": 4, "working": 0, "pending": 0, "error": None}]
    broker = status["instances"][1]
    assert broker["health"] == "healthy" and len(broker["addresses"]) == 2


def test_who_dies_is_started_again(live):
    run = live()
    os.kill(int(run.instance("wor-2")["id"]), signal.SIGKILL)
    until(lambda: run.instance("wor-2")["restarts"] == 1 and run.instance("wor-2")["health"] == "healthy")
    until(lambda: run.status()["brokers"][0]["ready"] == 4)


def test_a_signal_stops_everything(live):
    for how in (signal.SIGINT, signal.SIGTERM):
        run = live()
        assert run.stop(how) == 0
        assert run.is_gone()


def test_a_supervisor_that_is_killed_leaves_nothing_behind(live):
    run = live()
    run.process.kill()
    run.process.wait()
    until(run.is_gone)
    # And the next start finds its way clear.
    assert live().stop() == 0


def test_twenty_starts_and_stops_leave_nothing(live):
    for _ in range(20):
        assert live("--until-done", "--quiet", wait=False).process.wait(timeout=60) == 0
    assert live("--until-done", wait=False).process.wait(timeout=60) == 0


def test_the_same_is_not_run_twice(live):
    run = live()
    again = cbwgen("run", run.topology, check=2)
    assert again.stderr == (
        f"error: `live` runs already (process {run.process.pid}); stop it first, or give this topology another `name`\n"
    )


def test_a_port_that_is_taken_is_named(live, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        topology = tmp_path / "topology.toml"
        topology.write_text(TOPOLOGY.replace('deadline = "500ms"', f"frontend = {port}"))
        done = cbwgen("run", topology, check=2)
    assert f"`bro-1` cannot listen on `127.0.0.1:{port}` for `frontend`" in done.stderr
    assert "`--ports auto` takes free ports" in done.stderr


def test_what_only_containers_can_run_is_named(tmp_path):
    topology = tmp_path / "topology.toml"
    topology.write_text(TOPOLOGY + '[service.cache]\nimage = "redis:7.4"\n')
    assert "`cache` is the image `redis:7.4`" in cbwgen("run", topology, check=2).stderr


def test_nothing_deployed_is_told(tmp_path):
    topology = tmp_path / "topology.toml"
    topology.write_text(TOPOLOGY)
    done = cbwgen("status", topology, "--engine", "local", check=2)
    assert done.stderr == (
        "error: `live` is not deployed: no `cbwgen run` of it lives here; `make deploy` or `cbwgen run` starts it\n"
    )
