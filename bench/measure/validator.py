"""`cbwgen lint`, `docker compose config -q` and dclint on the same Compose files, as whole processes in alternating rounds."""

import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from . import report
from .setup import note

SIZES = [3, 1_000, 10_000]
LAYERS, WIDTH = 12, 4
# Longer runs say nothing more: the cell tells that it was ended.
GIVE_UP = 180

# Most resident memory of one run (getrusage(2)), by a process of its own so that runs do not add up.
WATCH = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
try:
    code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=float(sys.argv[1]))
    code, said = code.returncode, code.stderr.decode(errors="replace")[-300:]
except subprocess.TimeoutExpired:
    code, said = None, ""
seconds = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"code": code, "said": said, "seconds": seconds, "memory": memory}))
"""


def rich(count: int) -> str:
    """Services as people write them, each with something of most things."""
    lines = ["name: bench", "services:"]
    for n in range(count):
        lines += [
            f"  app{n}:",
            f'    image: "registry.example.org/team/app{n % 50}:1.{n % 9}.0"',
            f'    command: ["serve", "--listen", "0.0.0.0:8080", "--name", "app{n}"]',
            "    environment:",
            f"      NAME: app{n}",
            "      LOG_LEVEL: info",
            f"      PEER_URL: http://app{max(0, n - 1)}:8080",
            "    ports:",
            f'      - "127.0.0.1:{10_000 + n}:8080"',
            "    volumes:",
            f"      - data{n % 20}:/var/lib/app",
            "      - type: tmpfs",
            "        target: /tmp",
            f"    networks: [front, back{n % 10}]" if n % 2 == 0 else "    networks: [front]",
            "    healthcheck:",
            '      test: ["CMD", "serve", "--check"]',
            "      interval: 10s",
            "      timeout: 3s",
            "      retries: 3",
            "      start_period: 5s",
            "    deploy:",
            "      resources:",
            "        limits: {cpus: '0.50', memory: 64M}",
            "    labels:",
            f'      org.example.number: "{n}"',
            "    restart: unless-stopped",
        ]
        if n > 0:
            lines += ["    depends_on:", f"      app{n - 1 if n % 10 else 0}:", "        condition: service_healthy"]
    lines += ["networks:", "  front:"] + [f"  back{n}:" for n in range(10)]
    lines += ["volumes:"] + [f"  data{n}:" for n in range(20)]
    return "\n".join(lines) + "\n"


def layered() -> str:
    """Every service depends on all of the layer below."""
    lines = ["name: layers", "services:"]
    for layer in range(LAYERS):
        for n in range(WIDTH):
            lines += [f"  s{layer}x{n}:", "    image: alpine:3.22"]
            if layer > 0:
                lines += ["    depends_on: [" + ", ".join(f"s{layer - 1}x{m}" for m in range(WIDTH)) + "]"]
    return "\n".join(lines) + "\n"


def contenders(tools) -> dict[str, list[str]]:
    found = {}
    ours = tools.program("cbwgen")
    if ours is None:
        note("no `cbwgen` binary: the validator is not measured")
        return found
    found["`cbwgen lint`"] = [str(ours), "lint"]
    compose = docker_compose()
    if compose is None:
        note("no `docker compose` (`tests/docker/engine start` installs it): it is left out")
    else:
        found["`docker compose config -q`"] = [*compose, "-f", "FILE", "config", "-q"]
    dclint = shutil.which("dclint")
    if dclint is None:
        note("no `dclint` (`npm install --global dclint`): it is left out")
    else:
        found["`dclint`"] = [dclint, "--quiet"]
    return found


def docker_compose() -> list[str] | None:
    """Compose as a program of its own where there is one: the tests' engine, or the usual places of plugins."""
    plugins = [
        "/var/lib/cbw-engine/config/cli-plugins",
        "/usr/libexec/docker/cli-plugins",
        "/usr/lib/docker/cli-plugins",
        pathlib.Path.home() / ".docker/cli-plugins",
    ]
    for folder in plugins:
        plugin = pathlib.Path(folder) / "docker-compose"
        if plugin.is_file():
            return [str(plugin)]
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0:
        return [docker, "compose"]
    return None


def measure(tools, options) -> str | None:
    programs = contenders(tools)
    if not programs:
        return None
    with tempfile.TemporaryDirectory(prefix="cbw-bench-") as folder:
        inputs = []
        for size in SIZES[:2] if options.quick else SIZES:
            inputs.append((f"{size:,} services", write(folder, f"{size}", rich(size))))
        inputs.append((f"{LAYERS * WIDTH} services in {LAYERS} layers", write(folder, "layers", layered())))
        rows = []
        for label, file in inputs:
            runs = {name: [] for name in programs}
            for _ in range(options.rounds):
                for name, command in programs.items():
                    # What takes minutes takes as many the second time.
                    if not (runs[name] and runs[name][0]["seconds"] > 20):
                        runs[name].append(run(command, file))
            rows.append([label, *(cell(runs[name]) for name in programs)])
    return report.table(["wall time (peak memory)", *programs], rows)


def write(folder: str, name: str, text: str) -> pathlib.Path:
    """In a folder of its own: dclint looks at all that is beside it."""
    place = pathlib.Path(folder) / name
    place.mkdir()
    file = place / "compose.yaml"
    file.write_text(text)
    return file


def run(command: list[str], file: pathlib.Path) -> dict:
    command = [str(file) if part == "FILE" else part for part in command]
    if str(file) not in command:
        command.append(str(file))
    watched = ["python3", "-c", WATCH, str(GIVE_UP), *command]
    return json.loads(subprocess.run(watched, capture_output=True, text=True, check=True).stdout)


def cell(runs: list[dict]) -> str:
    first = runs[0]
    if first["code"] is None:
        return f"ended after {GIVE_UP} s"
    seconds = statistics.median(run["seconds"] for run in runs)
    memory = max(run["memory"] for run in runs)
    # A linter that finds something exits with 1; Compose that refuses says why.
    refused = " refused:" if "exceed" in first["said"] or "limit" in first["said"] else ""
    if first["code"] not in (0, 1) and not refused:
        note(f"a run fails: {first['said'].strip()}")
        return "fails"
    return f"{refused} {seconds * 1000:,.1f} ms ({memory:,.0f} MiB)".strip()
