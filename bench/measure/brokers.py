"""Requests per second and latency of brokers, and what a trace costs ours."""

import pathlib
import tempfile

from . import report
from .process import free_ports, result, running
from .setup import note
from .steal import Calm

COLUMNS = [(8, 4), (64, 4), (64, 64), (10_000, 64)]
QUICK_COLUMNS = [(8, 4), (64, 64)]


def contenders(tools) -> dict:
    """Name → (command without ports, dialect of its workers)."""
    found = {}
    if ours := tools.program("broker"):
        found["this broker"] = ([ours], "guide")
        found["this broker, ppp workers"] = ([ours], "ppp")
    if tools.c:
        found["C, libzmq, LRU, no protection (raw)"] = ([tools.c / "raw_broker"], "guide")
        found["C, `zmq_proxy` (no LRU)"] = ([tools.c / "proxy"], "rep")
    if tools.node:
        found["Node.js"] = ([tools.node, tools.peers / "broker.js"], "guide")
        found["Node.js, with the lab's trace"] = ([tools.node, tools.peers / "broker.js", "trace"], "guide")
    if tools.python:
        found["pyzmq"] = ([tools.python, tools.peers / "broker.py"], "guide")
    found["one epoll loop, own ZMTP (limit)"] = ([tools.bench / "limit"], "guide")
    return found


def once(tools, options, command: list, dialect: str, clients: int, workers: int, env=None, warmup=None) -> dict | None:
    ports = free_ports(2)
    # The trace of the Node.js broker is its last argument, after the ports.
    trace = [command[-1]] if command[-1] == "trace" else []
    start = [*(command[:-1] if trace else command), *ports, *trace]
    # Ten thousand requests in a ring need their time until the ring is steady.
    warmup = warmup or (500 if clients <= 64 else 1500)
    # Nobody is left over from a broker before: no need to look for them (`DOOR`) before each measurement.
    with running(start, ports, {"DOOR": "0s", **(env or {})}) as broker:
        measured = result(
            [tools.bench / "load", *ports, "--clients", clients, "--workers", workers, "--dialect", dialect]
            + ["--seconds", options.seconds, "--warmup", warmup, "--pid", broker.pid]
        )
    if measured is None:
        note(f"{pathlib.Path(str(command[0])).name}: {clients} clients, {workers} workers: no result")
    return measured


def medians(results: list[dict]) -> dict:
    return {key: report.median([one[key] for one in results]) for key in (results[0] if results else {})}


def compare(tools, options) -> str:
    columns = QUICK_COLUMNS if options.quick else COLUMNS
    calm = Calm()
    all_results: dict = {name: {column: [] for column in columns} for name in contenders(tools)}
    for turn in range(options.rounds):
        for column in columns:
            for name, (command, dialect) in contenders(tools).items():
                measured = calm.measure(lambda: once(tools, options, command, dialect, *column))
                if measured:
                    all_results[name][column].append(measured)
        note(f"broker: round {turn + 1} of {options.rounds}")
    head = ["req/s (p50 / p99 µs; CPU µs a request)", *(f"{clients:,} × {workers}" for clients, workers in columns)]
    rows = []
    for name, by_column in all_results.items():
        row = [name]
        for column in columns:
            middle = medians(by_column[column])
            if not middle:
                row.append("–")
                continue
            row.append(
                f"{report.thousands(middle['rate'])} ({middle['p50_us']:,.0f} / {middle['p99_us']:,.0f};"
                f" {middle['broker_cpu_us']:.1f})"
            )
        rows.append(row)
    return report.table(head, rows) + ratios(all_results, columns) + f"\n\n{calm.told()}"


def ratios(all_results: dict, columns: list) -> str:
    """Our broker over each peer, from the medians."""

    def rate(name: str, column, key: str = "rate"):
        return medians(all_results.get(name, {}).get(column, [])).get(key)

    rows = []
    for label, peer, key in [
        ("rate, this broker ÷ raw", "C, libzmq, LRU, no protection (raw)", "rate"),
        ("p99, this broker ÷ raw", "C, libzmq, LRU, no protection (raw)", "p99_us"),
        ("rate, this broker ÷ Node.js", "Node.js", "rate"),
        ("rate, this broker ÷ Node.js with trace", "Node.js, with the lab's trace", "rate"),
        ("rate, this broker ÷ limit", "one epoll loop, own ZMTP (limit)", "rate"),
    ]:
        pairs = [(rate("this broker", column, key), rate(peer, column, key)) for column in columns]
        if any(mine and theirs for mine, theirs in pairs):
            rows.append([label, *(f"{mine / theirs:.2f}" if mine and theirs else "–" for mine, theirs in pairs)])
    return "\n\n" + report.table(["ratio", *(f"{c:,} × {w}" for c, w in columns)], rows) if rows else ""


def once_with_log(tools, options, command: list, column: tuple, logger, alive: bool | None) -> dict | None:
    """With a logger that is there, one that is not, or (`None`) without; each long enough for the records of one that is not there to
    have filled their box."""
    warmup = 1_000 if options.quick else 4_000
    if alive is None:
        return once(tools, options, command, "guide", *column, warmup=warmup)
    (port,) = free_ports(1)
    env = {"LOGGER_HOST": "127.0.0.1", "LOGGER_PORT": str(port)}
    if not alive:
        return once(tools, options, command, "guide", *column, env, warmup)
    with tempfile.TemporaryDirectory(prefix="cbw-bench-") as folder, running([logger, port, f"{folder}/logs"], [port]):
        return once(tools, options, command, "guide", *column, env, warmup)


def trace_cost(tools, options) -> str | None:
    """Our broker without a logger, with a live one, and with one that is not there."""
    broker, logger = tools.program("broker"), tools.program("logger")
    if not broker or not logger:
        return None
    columns = [(8, 4), (64, 64)]
    kinds = {"no logger": None, "live logger": True, "dead logger": False}
    calm = Calm()
    results: dict = {kind: {column: [] for column in columns} for kind in kinds}
    for _ in range(options.rounds):
        for column in columns:
            for kind, alive in kinds.items():
                measured = calm.measure(lambda: once_with_log(tools, options, [broker], column, logger, alive))
                if measured:
                    results[kind][column].append(measured)
    head = ["req/s (CPU µs a request)", *(f"{clients} × {workers}" for clients, workers in columns)]
    rows = []
    for kind in kinds:
        row = [kind]
        for column in columns:
            mine, base = medians(results[kind][column]), medians(results["no logger"][column])
            if mine and base:
                row.append(
                    f"{report.thousands(mine['rate'])} ({mine['broker_cpu_us']:.1f}),"
                    f" {(mine['rate'] / base['rate'] - 1) * 100:+.0f} %"
                )
            else:
                row.append("–")
        rows.append(row)
    return report.table(head, rows) + f"\n\n{calm.told()}"
