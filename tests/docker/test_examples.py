"""The examples, deployed as they are."""

import pytest
from conftest import HERE, PORT, run, states


@pytest.fixture(scope="module")
def client_program(deployment):
    """The static client, as it is put into images."""
    cbw = deployment("examples/cbw.toml")
    cbw.make("static")
    return cbw.out / "bin" / "client"


def assert_all_well(example):
    for name, status, code, health in ((c["Name"], *state) for c in example.containers() for state in states([c])):
        assert (status, code) in (("running", 0), ("exited", 0)), name
        assert health in (None, "healthy"), name


def test_cbw(deployment):
    example = deployment("examples/cbw.toml")
    said = example.make("deploy").stdout
    assert_all_well(example)
    assert "ended with exit code 0" in said
    assert "ended with exit code" not in said.replace("ended with exit code 0", "")
    example.make("down")


def test_external_client(deployment, client_program):
    example = deployment("examples/external-client.toml")
    example.make("deploy")
    assert_all_well(example)
    run(client_program, "OUTSIDE", 10, "127.0.0.1", PORT)
    example.make("down")


def test_nodejs_programs(deployment):
    run(HERE / "stand-in", "ubuntu:22.04")
    example = deployment("examples/nodejs.toml")
    said = example.make("deploy").stdout
    assert_all_well(example)
    assert said.count("ended with exit code 0") == 2
    assert " 0 failed" in example.make("verify", "FAULTS=kill,cut").stdout
    example.make("down")


@pytest.mark.parametrize(("name", "node"), [("mixed-node-workers", {"wor"}), ("mixed-node-broker", {"bro", "cli", "log"})])
def test_programs_of_both_kinds_in_one_deployment(deployment, name, node):
    run(HERE / "stand-in", "ubuntu:22.04")
    example = deployment(f"examples/{name}.toml")
    said = example.make("deploy").stdout
    assert_all_well(example)
    assert said.count("ended with exit code 0") == 2
    in_node = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in example.containers()
        if (container["Config"]["Cmd"] or [""])[0] == "node"
    }
    assert in_node == node, "each role is of the kind that the file says"
    # Only our broker finds workers again that do not say who they are.
    faults = "kill,cut" if "bro" in node else "kill,cut,restart"
    assert " 0 failed" in example.make("verify", f"FAULTS={faults}").stdout
    example.make("down")
