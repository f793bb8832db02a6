"""Whether the cost of a message depends on the size of the queue and the mail log, and on the
lanes.

The ratio is to the first row, of the CPU for accepting and relaying a message: other load on the
machine affects it less than it affects the elapsed time. A thousand messages are measured after the
first hundred.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import head, median, progress, row
from benchmarks.multiplied import multiply
from benchmarks.processes import cpu_seconds, resident
from benchmarks.servers import Cloud, Server, relay
from benchmarks.throughput import AT_ONCE, send

MEASURED, WARM_UP = 1_000, 100
CONNECTIONS = 4
"""Of a lane."""
IN_LANES = 6_000
"""Messages that wait, over all lanes."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one spool; CPU in microseconds for each message, memory in MB, times in seconds."""

    accepting: float
    relaying: float
    memory: float
    """Before mail comes."""
    start: float
    """To the first 220."""
    listing: float
    """`graphrelay queue list`, its own start included."""


def waiting(of: Cloud, folder: Path, runs: int) -> None:
    """Messages waiting in one lane."""
    counts = (1_000, 10_000, 100_000)
    _table("waiting", [_measured(of, folder, runs, count) for count in counts], counts)


def logged(of: Cloud, folder: Path, runs: int) -> None:
    """Messages in the mail log that were relayed."""
    counts = (1_000, 1_000_000)
    found = [_measured(of, folder, runs, count, done=True) for count in counts]
    _table("in the mail log", found, counts)


def lanes(of: Cloud, folder: Path, runs: int) -> None:
    """As many messages waiting, in several lanes; measured once all connections are established."""
    counts = (1, 50, 1_000)
    found = [_measured(of, folder, runs, IN_LANES, lanes=count) for count in counts]
    _table("lanes", found, counts)


def _table(name: str, found: Sequence[Figures], counts: Sequence[int]) -> None:
    head(name, *(f"{column}{unit}" for column, unit, _ in _COLUMNS), "ratio of CPU")
    least = found[0].accepting + found[0].relaying
    for count, figures in zip(counts, found, strict=True):
        cells = (f"{getattr(figures, column):.{digits}f}" for column, _, digits in _COLUMNS)
        row(f"{count:,}", *cells, f"{(figures.accepting + figures.relaying) / least:.2f}")


_COLUMNS = (
    ("accepting", ", CPU µs", 0),
    ("relaying", ", CPU µs", 0),
    ("memory", " MB", 0),
    ("start", " s", 2),
    ("listing", " s", 2),
)


def _measured(
    of: Cloud, folder: Path, runs: int, count: int, *, lanes: int = 1, done: bool = False
) -> Figures:
    found = []
    for run in range(runs):
        state = folder / f"{count}-{lanes}" / str(run if lanes > 1 else 0)
        progress(f"{count:,} messages, lanes: {lanes}, run {run + 1} of {runs}")
        if not state.exists():
            multiply(state, count, lanes=lanes, done=done)
        found.append(_figures(of, state, WARM_UP + CONNECTIONS * lanes))
    columns = (median(getattr(one, name) for one in found) for name, _, _ in _COLUMNS)
    return Figures(*columns)


def _figures(of: Cloud, state: Path, warm_up: int) -> Figures:
    progress("  filled; the relay starts, and accepts")
    with relay(of, state, authorized=False) as server:
        _settle(server)
        memory = resident(server.process)
        send(server, AT_ONCE, 2 * WARM_UP, 1)  # more than relaying needs to warm up
        before = cpu_seconds(server.process)
        send(server, AT_ONCE, MEASURED, 1)
        accepting = _each(cpu_seconds(server.process) - before, MEASURED)
        listing, start = _listed(state), server.started_in
    progress("  it starts again, and relays")
    seen = of.submitted()
    with relay(of, state, authorized=True) as server:
        of.until(seen + warm_up)
        first, before = of.submitted(), cpu_seconds(server.process)
        of.until(seen + warm_up + MEASURED)
        last, after = of.submitted(), cpu_seconds(server.process)
    return Figures(accepting, _each(after - before, last - first), memory, start, listing)


def _each(seconds: float, messages: int) -> float:
    return seconds / messages * 1e6


def _listed(state: Path) -> float:
    began = time.perf_counter()
    command = ["-m", "graphrelay", "--config", str(state / "config.toml"), "queue", "list"]
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _settle(server: Server) -> None:
    """Until its memory has stopped growing."""
    before = 0.0
    while (now := resident(server.process)) > before + 0.5:
        before = now
        time.sleep(0.5)
