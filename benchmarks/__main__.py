"""Speed, memory and start-up of the relay, beside bare aiosmtpd that keeps nothing.

    make bench                                         everything, some minutes
    python -m benchmarks --only acceptance --runs 3

Every acceptance of the relay is durable: the message is on the disk before 250. The relay is not
authorized while acceptance is measured, so that it does that and nothing else; relaying is measured
from a full queue. Figures of one run may be compared with each other, not with those of another
machine or day: trust the ratios. Each figure is the median of the runs.
"""

import argparse
import asyncio
import platform
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import load
from benchmarks.backlog import backlog
from benchmarks.large import large
from benchmarks.processes import cpu_seconds, forget_peak, peak, resident
from benchmarks.sendmail import sendmail
from benchmarks.servers import Cloud, Server, bare_aiosmtpd, cloud, relay

SMALL = 4_000
LARGE = 30_000_000
SHAPES = (
    (1, 1, 400),
    (1, 50, 1000),
    (20, 1, 2000),
    (20, 50, 4000),
    (100, 1, 2000),
    (100, 50, 5000),
)
"""Connections, messages for each connection, messages in all."""

Start = Callable[[], AbstractContextManager[Server]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHMARKS), action="append")
    parser.add_argument("--runs", type=int, default=5, help="of each figure (default: 5)")
    parser.add_argument("--directory", type=Path, help="where spools are put (default: temporary)")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {given.runs} runs")
    with TemporaryDirectory(prefix="graphrelay-bench-", dir=given.directory) as folder:
        for name in given.only or BENCHMARKS:
            print(f"\n## {name}\n", flush=True)
            with cloud(Path(folder, name)) as of:
                BENCHMARKS[name](of, Path(folder, name), given.runs)


def acceptance(of: Cloud, folder: Path, runs: int) -> None:
    """Messages of 4 kB a second, and the 99th percentile of the answer to the final dot."""
    print("| connections | messages each | graphrelay /s | p99 ms | aiosmtpd /s | p99 ms | ratio |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for connections, each, messages in SHAPES:
        ours, theirs = [], []
        for run in range(runs):  # in turns, so that a busy moment of the machine hits both
            state = folder / f"{connections}-{each}-{run}"
            with relay(of, state, authorized=False) as server:
                ours.append(_load(server, connections, messages, each))
            with bare_aiosmtpd() as server:
                theirs.append(_load(server, connections, messages, each))
        rate, bare = _median(run.rate for run in ours), _median(run.rate for run in theirs)
        slow, bare_slow = (
            _median(run.percentile(0.99) * 1000 for run in all_runs) for all_runs in (ours, theirs)
        )
        print(
            f"| {connections} | {each} | {rate:.0f} | {slow:.1f} "
            f"| {bare:.0f} | {bare_slow:.1f} | {rate / bare:.2f} |",
            flush=True,
        )


def _load(server: Server, connections: int, messages: int, each: int) -> load.Load:
    shape = load.run(
        server.port, connections=connections, messages=messages, per_connection=each, size=SMALL
    )
    done = asyncio.run(shape)
    if done.refused:
        raise RuntimeError(f"{server.name} refused {done.refused} messages")
    return done


def relaying(of: Cloud, folder: Path, runs: int) -> None:
    """From a full queue of 4 kB messages through TLS to the sandbox, one mailbox."""
    messages = 2000
    rates, costs = [], []
    for run in range(runs):
        state = folder / f"relaying-{run}"
        with relay(of, state, authorized=False) as server:
            _load(server, 20, messages, 50)
        before = of.submitted()
        with relay(of, state, authorized=True) as server:
            began = time.perf_counter()
            first = of.submitted()
            ended = of.until(before + messages)
            rates.append((before + messages - first) / (ended - began))
            costs.append(cpu_seconds(server.process) / messages)
    print(f"{_median(rates):.0f} messages/s relayed, {_median(costs) * 1e6:.0f} µs of CPU each")
    print("(one mailbox, four requests in flight, a cloud without latency on the same two cores)")


def memory(of: Cloud, folder: Path, runs: int) -> None:
    """20 messages of 30 MB at once: the most memory that was in use, and the speed."""
    print("| | idle MB | peak MB | MB/s |\n| --- | ---: | ---: | ---: |")
    starts: dict[str, Start] = {
        "graphrelay": lambda: relay(of, folder / "memory", authorized=False),
        "bare aiosmtpd": bare_aiosmtpd,
    }
    for name, start in starts.items():
        rows = []
        for _ in range(min(runs, 3)):
            with start() as server:
                idle = resident(server.process)
                forget_peak(server.process)
                shape = load.run(
                    server.port, connections=20, messages=20, per_connection=1, size=LARGE
                )
                done = asyncio.run(shape)
                rows.append((idle, peak(server.process), 20 * LARGE / 1e6 / done.seconds))
        columns = (f"{_median(column):.0f}" for column in zip(*rows, strict=True))
        print(f"| {name} | {' | '.join(columns)} |", flush=True)


def startup(of: Cloud, folder: Path, runs: int) -> None:
    """Seconds from the start of the process to the first 220."""
    ours, theirs = [], []
    for run in range(runs):
        with relay(of, folder / f"startup-{run}", authorized=False) as server:
            ours.append(server.started_in)
        with bare_aiosmtpd() as server:
            theirs.append(server.started_in)
    print(f"graphrelay {_median(ours):.2f} s, bare aiosmtpd {_median(theirs):.2f} s")


def _median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


BENCHMARKS: dict[str, Callable[[Cloud, Path, int], None]] = {
    "acceptance": acceptance,
    "relaying": relaying,
    "memory": memory,
    "startup": startup,
    "backlog": backlog,
    "sendmail": sendmail,
    "large": lambda of, folder, runs: large(folder, runs),
}

if __name__ == "__main__":
    main()
