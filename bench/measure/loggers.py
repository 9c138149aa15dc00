"""Lines of 99 bytes per second, from one sender, until the last one is in the file."""

import pathlib
import tempfile

from . import report
from .process import free_ports, result, running
from .setup import note


def contenders(tools) -> dict:
    """Name → (program, arguments after port and file, most lines)."""
    found: dict = {}
    if ours := tools.program("logger"):
        found["this logger (group commit ≤ 50 ms)"] = ([ours], [], None)
    if tools.c:
        logger = [tools.c / "logger"]
        found["C, batch + write, not synced"] = (logger, ["batch"], None)
        found["C, group commit every 50 ms"] = (logger, ["group"], None)
        found["C, fdatasync per drained batch"] = (logger, ["sync"], None)
        found["C, fdatasync per line"] = (logger, ["line"], 20_000)
    if tools.node:
        logger = [tools.node, tools.peers / "logger.js"]
        found["Node.js, `appendFileSync`"] = (logger, ["append"], None)
        found["Node.js, stream"] = (logger, ["stream"], None)
    return found


def once(tools, options, program: list, arguments: list, most: int | None) -> float | None:
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="cbw-bench-") as folder:
        file = pathlib.Path(folder) / "logs"
        file.touch()
        with running([*program, port, file, *arguments], [port]):
            limit = ["--lines", 1000 if options.quick else most] if most else []
            measured = result([tools.bench / "loglines", port, file, "--seconds", options.seconds / 3, *limit])
    if measured is None:
        note(f"{pathlib.Path(str(program[-1])).name} {' '.join(arguments)}: no result")
        return None
    return measured["rate"]


def compare(tools, options) -> str:
    rates: dict = {name: [] for name in contenders(tools)}
    for turn in range(options.rounds):
        for name, how in contenders(tools).items():
            rate = once(tools, options, *how)
            if rate:
                rates[name].append(rate)
        note(f"logger: round {turn + 1} of {options.rounds}")
    node = report.median(rates.get("Node.js, `appendFileSync`", []))
    rows = []
    for name, values in rates.items():
        middle = report.median(values)
        rows.append(
            [name, report.thousands(middle), f"{middle / node:.1f} ×" if middle and node else "–"]
        )
    return report.table(["logger", "lines/s", "against `appendFileSync`"], rows)
