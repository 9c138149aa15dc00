"""How long `cbwgen lint` and `cbwgen render` take as whole processes, by the number of components."""

import json
import pathlib
import shutil
import subprocess
import tempfile

from . import report
from .setup import note

SIZES = [1_000, 10_000]


def measure(tools, options) -> str | None:
    program = tools.program("cbwgen")
    if program is None:
        note("no `cbwgen` binary: the generator is not measured")
        return None
    if shutil.which("hyperfine") is None:
        note("no `hyperfine` (Debian: `apt-get install hyperfine`): the generator is not measured")
        return None
    here = pathlib.Path(__file__).resolve().parents[1]
    rows = []
    with tempfile.TemporaryDirectory(prefix="cbw-bench-") as folder:
        inputs = [("`topology.toml`", here.parent / "topology.toml")]
        for size in SIZES[:1] if options.quick else SIZES:
            file = pathlib.Path(folder) / f"{size}.toml"
            file.write_bytes(subprocess.run([here / "topology", str(size)], capture_output=True, check=True).stdout)
            inputs.append((f"{size:,} components", file))
        for label, file in inputs:
            if file.exists():
                rows.append([label, *(cell(program, verb, file, folder, options) for verb in ("lint", "render"))])
    return report.table(["wall time (peak memory)", "`lint`", "`render`"], rows)


def cell(program: pathlib.Path, verb: str, file: pathlib.Path, folder: str, options) -> str:
    command = [str(program), verb, str(file)]
    if verb == "render":
        command += ["--out", f"{folder}/out-{file.stem}"]
    out = pathlib.Path(folder) / "hyperfine.json"
    done = subprocess.run(
        ["hyperfine", "-N", "--warmup", "1", "--runs", str(max(3, options.rounds)), "--export-json", out]
        + [" ".join(command)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        note(f"`{' '.join(command)}` fails: {done.stderr.strip()[-300:]}")
        return "–"
    (measured,) = json.loads(out.read_text())["results"]
    return f"{measured['median'] * 1000:,.1f} ms ({peak(command):,.0f} MiB)"


def peak(command: list[str]) -> float:
    """Most resident memory of one run, in MiB (getrusage(2), by a process of its own so that runs do not add up)."""
    ask = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    return float(subprocess.run(["python3", "-c", ask, *command], capture_output=True, text=True).stdout or 0)
