"""Other numbers of replicas, and what is refused before anything starts."""

import pytest
from conftest import states


@pytest.fixture(scope="module")
def cbwl(deployment):
    return deployment("topology.toml")


def test_two_brokers_are_refused_with_the_consequence(cbwl):
    refused = cbwl.make("deploy", "SCALE=bro=2", check=False)
    assert refused.returncode != 0
    assert "two-brokers" in refused.stdout or "error" in refused.stdout
    assert cbwl.containers() == []
    assert not cbwl.out.exists()


def test_a_file_edited_by_hand_is_kept_and_nothing_is_deployed(cbwl):
    cbwl.make("render")
    compose = cbwl.out / "docker-compose.yml"
    edited = compose.read_text().replace("services:", "# my own remark\nservices:", 1)
    compose.write_text(edited)

    refused = cbwl.make("deploy", check=False)

    assert refused.returncode != 0
    assert "docker-compose.yml" in refused.stdout
    assert compose.read_text() == edited
    assert cbwl.containers() == []
    compose.unlink()


def test_without_an_engine_one_line_says_what_works_without(cbwl):
    refused = cbwl.make("deploy", check=False, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert refused.returncode != 0
    [line] = [line for line in refused.stdout.splitlines() if not line.startswith("make")]
    assert "Docker" in line and "`make render`" in line


def test_four_clients_and_two_workers(cbwl):
    said = cbwl.make("deploy", "SCALE=cli=4 wor=2").stdout
    assert cbwl.services() == {"bro": 1, "cli": 4, "log": 1, "wor": 2}
    assert said.count("ended with exit code 0") == 4
    assert set(states(cbwl.containers("wor"))) == {("running", 0, "healthy")}
    cbwl.make("down")
