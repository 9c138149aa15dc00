"""The manifests of the reference topology, run by `podman kube play`: pods, ConfigMaps and claims as they are written.

Podman knows no Services, Jobs and policies. So each pod is called like its Service, where it has one, and a Job's pods are
started as the pods that they are. Everything happens in a network namespace of its own, with images and volumes of its own:
the machine's firewall is not touched, and nothing is left.
"""

import copy
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, Rendered, objects, run, skip

NAMESPACE = f"cbw-kube-{os.getpid()}"


@pytest.fixture(scope="module")
def folder():
    # Sockets lie in it, whose paths have at most 107 bytes.
    path = Path(tempfile.mkdtemp(prefix="cbwk", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def podman(folder):
    for program in ("podman", "runc", "ip", "nsenter", "make", "cargo"):
        if not shutil.which(program):
            skip(f"there is no {program} (Debian: podman netavark aardvark-dns catatonit runc iproute2)")
    if os.geteuid() != 0:
        skip("it needs root, for a network namespace")
    for helper in ("netavark", "aardvark-dns"):
        if not any((Path(lib) / "podman" / helper).exists() for lib in ("/usr/lib", "/usr/libexec", "/usr/local/libexec")):
            skip(f"there is no {helper}, without which pods find no names")
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nruntime = "runc"\n'
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    environment["CONTAINERS_CONF"] = str(folder / "containers.conf")
    words = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "podman", "--root", folder / "root", "--runroot", folder / "run"]
    words += ["--network-config-dir", folder / "net"]

    def call(*arguments, check=True):
        return run(*words, *arguments, check=check, env=environment)

    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "netns", "exec", NAMESPACE, "ip", "link", "set", "lo", "up")
        if call("info", check=False).returncode != 0:
            skip("podman does not work here: " + call("info", check=False).stderr.strip().splitlines()[-1])
        yield call
        call("pod", "rm", "-fa", check=False)
        call("volume", "rm", "-fa", check=False)
        call("rmi", "-fa", check=False)
    finally:
        run("ip", "netns", "delete", NAMESPACE)


@pytest.fixture(scope="module")
def manifests(podman, folder):
    """The reference topology's images and claims, made; its pods as podman can play them."""
    spec = folder / "topology.toml"
    shutil.copy(REPOSITORY / "topology.toml", spec)
    run("make", "-C", REPOSITORY, "static", "render", f"SPEC={spec}", f"OUT={folder}/generated", f"CBWGEN={os.environ['CBWGEN']}")
    rendered = Rendered(spec)
    rendered.render()
    made = objects(rendered.manifests.read_text())
    # A claim is played once: podman refuses to make a volume again.
    claims = [one for (kind, _), one in made.items() if kind == "PersistentVolumeClaim"]
    (folder / "claims.yaml").write_text(yaml.safe_dump_all(claims))
    podman("kube", "play", folder / "claims.yaml")
    played = []
    for (kind, name), one in made.items():
        if kind == "ConfigMap":
            played.append(one)
        elif kind in ("Deployment", "Job"):
            count = one["spec"].get("replicas", one["spec"].get("completions"))
            for number in range(count):
                pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(one["spec"]["template"])}
                pod["metadata"]["name"] = name if count == 1 else f"{name}-{number}"
                played.append(pod)
            [container] = one["spec"]["template"]["spec"]["containers"]
            dockerfile = folder / "generated" / name / "Dockerfile"
            podman("build", "-q", "-t", container["image"], "-f", dockerfile, folder / "generated")
    path = folder / "played.yaml"
    path.write_text(yaml.safe_dump_all(played, sort_keys=False))
    return path


def until(what, seconds=60):
    """Waits until something is true, and says what it was at last."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def log(podman):
    path = Path(podman("volume", "inspect", "logs", "--format", "{{.Mountpoint}}").stdout.strip()) / "logs"
    return path.read_text() if path.exists() else ""


def test_every_client_has_all_its_answers_and_the_log_outlives_the_pods(podman, manifests):
    podman("kube", "play", manifests)
    for client in ("cli-0-cli", "cli-1-cli"):
        assert podman("wait", client).stdout.strip() == "0", podman("logs", client).stderr
        assert "answered 10  failed 0  wrong 0" in podman("logs", client).stderr
    for container, program in (("bro-bro", "/broker"), ("wor-3-wor", "/worker"), ("log-log", "/logger")):
        # The probe as the kubelet runs it: in the container, without a shell.
        healthy = until(lambda c=container, p=program: podman("exec", c, p, "healthcheck", check=False).returncode == 0)
        assert healthy, container
    first = until(lambda: log(podman))
    assert first

    podman("kube", "down", manifests)
    assert podman("ps", "-aq").stdout == ""
    kept = log(podman)
    assert kept.startswith(first)

    podman("kube", "play", manifests)
    assert podman("wait", "cli-0-cli").stdout.strip() == "0"
    assert until(lambda: len(log(podman)) > len(kept)), "the logger goes on where it ended"
    assert log(podman).startswith(kept)
    podman("kube", "down", manifests)


def test_pods_have_no_rights_that_they_do_not_need(podman, manifests):
    podman("kube", "play", manifests)
    for container in ("bro-bro", "wor-0-wor", "log-log"):
        facts = podman("inspect", container, "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}}")
        assert facts.stdout.split(maxsplit=2) == ["10001:10001", "true", "[]\n"], container
    podman("kube", "down", manifests)
