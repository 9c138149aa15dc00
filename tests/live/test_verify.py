"""`cbwgen verify` and `cbwgen fault`: the proof passes where it should, and fails where it should."""

import os
import signal
import subprocess
import xml.etree.ElementTree as xml

import pytest

from conftest import BIN, CBWGEN, TOPOLOGY, cbwgen, until


def test_a_good_deployment_passes_every_check_and_is_left_as_it_was(live):
    run = live()
    code, checks = run.verify()
    assert code == 0, checks
    names = {name for name, outcome in checks if outcome == "pass"}
    assert names == {
        *("plan", "own-answers", "no-idle-worker", "spread", "kill", "pause", "broker-restart", "log", "logger-restart"),
        "unchanged",
    }
    assert checks - {(name, "pass") for name in names} == {("outside", "skip")}
    assert [i["state"] for i in run.instances() if i["role"] != "client"] == ["running"] * 6


# What each broker does wrong, and which check must see it.
MUTANTS = {
    "swaps": "own-answers",
    "keeps-idle": "no-idle-worker",
    "never-again": "kill",
    "twice": "own-answers",
    "loses": "own-answers",
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broker_that_does_one_thing_wrong_is_caught(live, mutant):
    run = live("--bin", os.environ["CBW_MUTANTS"], environment={"CBW_MUTANT": mutant})
    # Without faults where the fault shows without: that is quicker.
    code, checks = run.verify("--faults", "kill" if mutant == "never-again" else "none")
    assert code == 1
    assert (MUTANTS[mutant], "fail") in checks


def test_the_same_program_without_its_fault_passes(live):
    assert live("--bin", os.environ["CBW_MUTANTS"]).verify("--faults", "kill")[0] == 0


def test_a_promise_that_is_not_kept_fails(live):
    promised = TOPOLOGY + '[sla]\np95 = "1ms"\n'
    code, checks = live(text=promised).verify("--faults", "none")
    assert code == 1
    assert {name for name, outcome in checks if outcome == "fail"} == {"sla-p95"}


def test_a_topology_that_was_changed_since_is_told(live):
    run = live()
    run.topology.write_text(TOPOLOGY.replace("replicas = 4", "replicas = 5"))
    code, checks = run.verify("--faults", "none")
    assert code == 1 and ("plan", "fail") in checks


def test_a_logger_that_writes_nothing_is_found(live):
    run = live()
    os.kill(int(run.instance("log-1")["id"]), signal.SIGSTOP)
    code, checks = run.verify("--faults", "none")
    assert code == 1
    assert {name for name, outcome in checks if outcome == "fail"} == {"plan", "log"}


def test_the_forms_are_those_of_programs(live):
    run = live()
    document = xml.fromstring(cbwgen("verify", run.topology, "--faults", "none", "--format", "junit", check=0).stdout)
    assert document.get("failures") == "0" and int(document.get("tests")) == len(document.findall(".//testcase"))
    text = cbwgen("verify", run.topology, "--faults", "none", check=0)
    assert text.stdout.splitlines()[-1] == "verified: 6 passed, 0 failed, 1 skipped"
    assert "own-answers" in text.stdout and "… is the deployment what the plan says?" in text.stderr


def test_an_interrupted_proof_undoes_its_fault(live):
    run = live()
    proof = subprocess.Popen([CBWGEN, "verify", run.topology, "--faults", "pause"], stdout=-3, stderr=-3)
    until(lambda: any(i["state"] == "paused" for i in run.instances()), 60)
    proof.send_signal(signal.SIGINT)
    assert proof.wait(timeout=30) == 2
    until(lambda: not any(i["state"] == "paused" for i in run.instances()))


def test_a_fault_by_hand_lasts_and_is_undone(live):
    run = live()
    fault = subprocess.Popen([CBWGEN, "fault", "pause", "wor-3", run.topology, "--for", "60s"], stdout=-1, text=True)
    until(lambda: run.instance("wor-3")["state"] == "paused")
    fault.send_signal(signal.SIGINT)
    said, _ = fault.communicate(timeout=10)
    assert fault.returncode == 0 and said.endswith("wor-3: undone\n")
    assert run.instance("wor-3")["state"] == "running"


def test_a_fault_waits_until_its_worker_is_busy(live):
    run = live()
    host, port = run.instance("bro-1")["addresses"][0].split(":")
    # Long enough for a machine on which the next command takes its time.
    load = subprocess.Popen(
        [BIN / "client", "CLI_load", "300", host, port, "--json", "--request-timeout", "5s", "--rate", "30"],
        stdout=-1,
        stderr=-3,
    )
    done = cbwgen("fault", "kill", "wor-1", run.topology, "--when", "busy", "--for", "200ms", check=0)
    assert done.stdout.startswith("wor-1 is busy\nwor-1: killed")
    assert load.wait(timeout=60) == 0, "each request is answered although its worker was killed"


def test_a_slow_worker_stands_still_in_turns_and_runs_at_the_end(live):
    run = live()
    fault = subprocess.Popen([CBWGEN, "fault", "slow", "wor-1", run.topology, "--for", "60s"], stdout=-3)
    for state in ("paused", "running", "paused"):
        until(lambda: run.instance("wor-1")["state"] == state)
    fault.terminate()
    assert fault.wait(timeout=10) == 0
    assert run.instance("wor-1")["state"] == "running"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fault", "kill", "wor-9"], "there is no instance `wor-9`; did you mean `wor-1`?"),
        (["fault", "cut", "wor-1"], "a local process has no network of its own to be cut off from: deploy containers"),
        (["fault", "kill", "cli-1"], "`cli-1` does not run: it is exited (0)"),
        (["fault", "kill", "bro-1", "--when", "busy"], "`--when busy` is for workers, and `bro-1` is none"),
    ],
)
def test_a_fault_that_cannot_be_is_told(live, arguments, words):
    run = live()
    command, what, who, *rest = arguments
    done = cbwgen(command, what, who, run.topology, *rest, check=2)
    assert done.stderr == f"error: {words}\n"
