"""The manifests as tools that are not ours see them: the schemas of each version of Kubernetes, and kustomize."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from conftest import objects, run, skip

VERSIONS = ["1.29", "1.30", "1.31", "1.32", "1.33", "1.34"]


def said(version, *files):
    """What kubernetes-validate has to say; a warning too, as an unknown `apiVersion` is no more than that."""
    validate = Path(sys.executable).parent / "kubernetes-validate"
    done = run(validate, "--strict", "--quiet", "-k", version, *files, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def kustomize():
    """Builds a folder: `kubectl kustomize` or `kustomize build`."""
    if shutil.which("kubectl"):
        build = ["kubectl", "kustomize"]
    elif shutil.which("kustomize"):
        build = ["kustomize", "build"]
    else:
        skip("neither kubectl nor kustomize is here")
    return lambda folder, *options, **more: run(*build, *options, folder, **more).stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_every_example_passes_the_schemas(example, version):
    assert said(version, example.manifests) == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_a_topology_can_say_passes_the_schemas(topology, version):
    assert said(version, topology(EVERYTHING).manifests) == ""


def test_the_schemas_are_really_asked(tmp_path):
    for text in [
        "{ apiVersion: v9, kind: Service, metadata: { name: a } }",
        "{ apiVersion: v1, kind: Service, metadata: { name: a }, spec: { portz: 1 } }",
    ]:
        (tmp_path / "wrong.yaml").write_text(text)
        assert said("1.32", tmp_path / "wrong.yaml") != ""


def test_kustomize_builds_what_the_manifests_say(example, kustomize):
    assert objects(kustomize(example.folder)) == objects(example.manifests.read_text())


def test_an_overlay_changes_what_people_change(example, kustomize):
    before = objects(example.manifests.read_text())
    overlay = example.spec.parent / "overlay"
    overlay.mkdir()
    name = "bro" if ("Deployment", "bro") in before else "wordpress"
    scaled = "wor" if name == "bro" else "wordpress"
    image = before["Deployment", name]["spec"]["template"]["spec"]["containers"][0]["image"].split(":")[0]
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [os.path.relpath(example.folder, overlay)],
                "namespace": "elsewhere",
                "images": [{"name": image, "newName": f"registry.example.org/{image}", "newTag": "1.2"}],
                "replicas": [{"name": scaled, "count": 7}],
            }
        )
    )
    after = objects(kustomize(overlay))
    assert after.keys() == before.keys()
    assert {one["metadata"]["namespace"] for one in after.values()} == {"elsewhere"}
    broker = after["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
    assert broker["image"] == f"registry.example.org/{image}:1.2"
    assert after["Deployment", scaled]["spec"]["replicas"] == 7


def test_secrets_are_made_of_the_user_s_files_and_are_in_no_generated_file(topology, kustomize):
    rendered = topology(EVERYTHING)
    for path in rendered.folder.rglob("*"):
        assert path.is_dir() or "correct horse" not in path.read_text(), path
    built = objects(kustomize(rendered.folder / "secrets", "--load-restrictor", "LoadRestrictionsNone"))
    assert built["Secret", "password"]["data"] == {"PASSWORD": "Y29ycmVjdCBob3JzZQ=="}
    # What is mounted is what is made here, or what the cluster is said to have.
    volumes = objects(rendered.manifests.read_text())["Deployment", "db"]["spec"]["template"]["spec"]["volumes"]
    [sources] = [volume["projected"]["sources"] for volume in volumes if "projected" in volume]
    assert [source["secret"]["name"] for source in sources] == ["password", "token", "key"]


def test_stale_files_go_and_what_a_person_wrote_stays(topology):
    rendered = topology(EVERYTHING)
    overlay = rendered.folder / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text("resources: [..]\n")
    topology('name = "all"\n[broker.bro]\n[worker.wor]\n[client.cli]\n')
    assert not (rendered.folder / "secrets").exists()
    assert (overlay / "kustomization.yaml").read_text() == "resources: [..]\n"


EVERYTHING = """
name = "all"

[broker.bro]
publish = { frontend = 9998 }
resources = { cpus = 0.5, memory = "64MiB" }

[worker.wor]
autoscale = { min = 2, max = 10, cpu = 70 }
resources = { cpus = 0.25, memory = "1GB" }
placement = { spread = "node", max_per_node = 2 }

[worker.other]
replicas = 3
placement = { node = "n1", max_per_node = 1 }
env = { TZ = "${TZ:-UTC}", A = "on", B = "1_000", C = "a\\nb: $HOME ${X}", D = "012", E = "1e3", F = "~" }

[client.cli]
replicas = 2

[client.loop]
restart = "always"

[logger.log]
volume = "./logs:/var/log/cbw"

[service.db]
image = "mariadb:11.4"
ports = { sql = 3306, "80" = 80, "administration-interface" = 8080 }
secrets = { PASSWORD = { file = "./password.txt" }, TOKEN = { env = "TOKEN" }, KEY = { external = true } }
volumes = ["data:/var/lib/mysql", "./conf:/etc/mysql/conf.d:ro", "data:/again"]
healthcheck = "mysqladmin ping | grep alive"
tmpfs = ["/tmp:size=64m,noexec", "/run"]
cap_add = ["CAP_CHOWN", "SETUID"]

[service.web]
image = "nginx:${TAG:-1.27}"
command = "nginx -g 'daemon off;'"
replicas = 2
needs = { db = "db.sql" }
ports = { http = 80, dns = "53/udp" }
publish = ["http"]
user = "33:33"
volumes = ["data:/data:ro"]
restart = "on-failure"
stop_grace = "1500ms"

[service.lone]
image = "redis:7.4"
ports = { redis = 6379 }

[service.also-lone]
image = "redis:7.4"
"""
