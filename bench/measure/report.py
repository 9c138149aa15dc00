"""Tables, and their place in docs/benchmarks.md."""

import datetime
import os
import pathlib
import platform
import statistics


def command(options) -> str:
    sections = " ".join(options.sections)
    return f"bench/run {sections}".strip() + f" --rounds {options.rounds} --seconds {options.seconds:g}"


def machine() -> str:
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, loopback"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def thousands(value: float | None) -> str:
    """Per second: 4.7 k, 37.1 k, 5.93 M."""
    if value is None:
        return "–"
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.1f} k"


def write(file: pathlib.Path, section: str, text: str, how: str) -> None:
    """Puts the table between the section's markers; the words around it are people's."""
    begin, end = f"<!-- bench:{section} -->", f"<!-- /bench:{section} -->"
    old = file.read_text()
    if begin not in old or end not in old:
        raise SystemExit(f"{file} has no `{begin}` … `{end}`")
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    today = datetime.date.today().isoformat()
    made = f"{text}\n\n{machine()}; {today}; `{how}`"
    file.write_text(f"{head}{begin}\n{made}\n{end}{tail}")
