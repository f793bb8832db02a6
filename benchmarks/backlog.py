"""What a long queue costs: the same figures with nothing waiting and with 100,000 messages."""

import asyncio
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import load
from benchmarks.processes import peak, resident
from benchmarks.servers import Cloud, Server, relay
from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
from graphrelay.model import Address, Envelope, Lane, NewMessage, Origin, Plan
from graphrelay.spool import Spool
from graphrelay.spool.sqlite import SqliteSpool

WAITING = 100_000
SIZE = 2_000
NEW = 3_000
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one queue."""

    start: float
    """Seconds to the first 220."""
    idle: float
    """MB when all that waits is in its place."""
    accepting: float
    """Messages a second, with nothing going out."""
    peak: float
    listing: float
    """Seconds for `graphrelay queue list`, its own start included."""
    relaying: float
    """Messages a second, with nothing coming in."""


def backlog(of: Cloud, folder: Path, runs: int) -> None:
    """Start-up, acceptance, relaying, memory and listing with 100,000 messages waiting."""
    empty = [_measured(of, folder / f"backlog-0-{run}", NEW) for run in range(min(runs, 3))]
    full = [_measured(of, folder / f"backlog-n-{run}", WAITING) for run in range(min(runs, 3))]
    print(f"| | {NEW:,} waiting | {WAITING:,} waiting | ratio |\n| --- | ---: | ---: | ---: |")
    for name, label, digits in _ROWS:
        short, long = (
            statistics.median(float(getattr(one, name)) for one in ones) for ones in (empty, full)
        )
        print(f"| {label} | {short:.{digits}f} | {long:.{digits}f} | {long / short:.2f} |")


_ROWS = (
    ("start", "first 220, s", 2),
    ("idle", "memory, MB", 0),
    ("peak", "most memory while accepting, MB", 0),
    ("accepting", "accepted /s", 0),
    ("relaying", "relayed /s", 0),
    ("listing", "`queue list`, s", 2),
)


def _measured(of: Cloud, state: Path, waiting: int) -> Figures:
    asyncio.run(_fill(state, waiting))
    with relay(of, state, authorized=False) as server:
        _settle(server)
        idle = resident(server.process)
        done = asyncio.run(
            load.run(server.port, connections=20, messages=NEW, per_connection=50, size=SIZE)
        )
        began = time.perf_counter()
        _listed(state)
        listing = time.perf_counter() - began
        most = peak(server.process)
    with relay(of, state, authorized=True):
        before, began = of.submitted(), time.perf_counter()
        relayed = (NEW - 200) / (of.until(before + NEW - 200) - began)
    return Figures(server.started_in, idle, done.rate, most, listing, relayed)


def _listed(state: Path) -> None:
    command = ["-m", "graphrelay", "--config", str(state / "config.toml"), "queue", "list"]
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)


def _settle(server: Server) -> None:
    """Until its memory has stopped growing."""
    before = 0.0
    while (now := resident(server.process)) > before + 0.5:
        before = now
        time.sleep(0.5)


async def _fill(state: Path, count: int) -> None:
    """As reception would, without SMTP."""
    clock = SystemClock()
    async with SqliteSpool.open(state, clock, Journal(clock)) as spool:
        for start in range(0, count, AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for number in range(start, min(start + AT_ONCE, count)):
                    tasks.create_task(_put(spool, number))


async def _put(spool: Spool, number: int) -> None:
    octets = load.message(number, SIZE).removesuffix(b".\r\n")
    body = spool.incoming()
    await body.write(octets)
    sender, to = Address("wp", "contoso.com"), (Address("a", "example.org"),)
    new = NewMessage(
        envelope=Envelope(sender, to),
        origin=Origin("127.0.0.1:25", "127.0.0.1"),
        received_at=datetime.now(UTC),
        message_id=f"<{number}.load@contoso.com>",
        subject="Order confirmed",
        prefix=b"",
        parts=((Plan(route="default", lane=Lane("website", "wp@contoso.com")), to),),
    )
    await spool.accept(new, body)
