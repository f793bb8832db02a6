"""The relay for a long time: mail of all sizes, a cloud with failures, restarts; nothing may grow.

    python -m tests.e2e.soak --minutes 30 --exact-once

A steady stream of mail is received over twenty connections; every few seconds something fails in
the cloud. The time is divided into three lives of the daemon, each ended by SIGTERM. Once a second
its memory, file descriptors, threads and disk are sampled; the samples near the end of a life are
compared with those after its warm-up. No mail may be lost, and none may arrive twice unless the
cloud gave no clear answer; with `--exact-once` not even then.
"""

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from random import Random

import psutil

from graphrelay.sandbox import Sandbox
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, Verdict, bad_day, emptied, judge, relaying, withheld

LIVES = 3
CONNECTIONS = 20
BAD_DAY = 20.0
"""Seconds between troubles of the cloud."""
ONE_IN = 5
"""Requests that meet them: where nothing works the relay waits, and mail piles up."""
FORGETFUL = """
[log]
keep = "1min"
"""


EXACT_ONCE = "exact_once = true\n"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the daemon, at one moment; memory and disk in MB."""

    memory: float
    descriptors: float
    threads: float
    disk: float
    waiting: float
    """Messages that were acknowledged and are not submitted yet."""


MOST_GROWTH = Figures(memory=20, descriptors=12, threads=4, disk=64, waiting=1_000)
"""From when it has warmed up to the end of a life. The disk: 16 MB each for the write-ahead log and
for free pages in the database, and what is on its way. Waiting: what comes in during a bad day."""


@dataclass(frozen=True, slots=True)
class Life:
    """The samples of one life, in order."""

    samples: tuple[Figures, ...]

    @property
    def early(self) -> Figures:
        quarter = len(self.samples) // 4
        return _median(self.samples[quarter : 2 * quarter + 1])

    @property
    def late(self) -> Figures:
        return _median(self.samples[-(len(self.samples) // 4 + 1) :])

    @property
    def grown(self) -> list[str]:
        """The values that grow."""
        names = (one.name for one in fields(Figures))
        rows = zip(
            names, astuple(self.early), astuple(self.late), astuple(MOST_GROWTH), strict=True
        )
        return [name for name, early, late, most in rows if late - early > most]

    def __str__(self) -> str:
        pairs = zip(fields(Figures), astuple(self.early), astuple(self.late), strict=True)
        return ", ".join(f"{one.name} {early:.0f} -> {late:.0f}" for one, early, late in pairs)


def _median(samples: tuple[Figures, ...]) -> Figures:
    columns = zip(*(astuple(one) for one in samples), strict=True)
    return Figures(*(statistics.median(column) for column in columns))


def look(process: psutil.Process, state: Path, waiting: int) -> Figures:
    with process.oneshot():
        return Figures(
            memory=process.memory_info().rss / 1e6,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            disk=_octets(state) / 1e6,
            waiting=waiting,
        )


def _octets(state: Path) -> int:
    """Files may go while they are counted."""
    total = 0
    for path in state.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


class Weather:
    """Makes the cloud fail now and then; each failure ends when the next begins.

    Faults that have not struck are removed at the same time. Otherwise they would accumulate for a
    relay that sends little, until no request succeeds.
    """

    def __init__(self, cloud: Sandbox, dice: Random) -> None:
        self._cloud = cloud
        self._dice = dice
        self._next = 0.0
        self.withheld = 0

    def change(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BAD_DAY
        day = [replace(fault, every=ONE_IN) for fault in bad_day(self._dice)]
        self._cloud.faults.replace(day)
        self.withheld += withheld(day)


async def live(
    cloud: Sandbox,
    daemon: Daemon,
    flood: Flood,
    weather: Weather,
    state: Path,
    seconds: float,
    rate: int,
) -> Life:
    """From the first sample to the last; `rate` messages a second."""
    process, samples = psutil.Process(daemon.pid), []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        weather.change()
        second = asyncio.create_task(asyncio.sleep(1))
        await flood.send(rate, min(CONNECTIONS, rate))
        await second
        waiting = len(flood.told.acknowledged) - len(cloud.mailboxes.submissions)
        samples.append(look(process, state, waiting))
    return Life(tuple(samples))


async def run(
    seconds: float, rate: int, seed: int, folder: Path, account: str = ""
) -> tuple[list[Life], Verdict]:
    lives: list[Life] = []
    async with relaying(folder, FORGETFUL, account) as (cloud, daemon, flood):
        for app in cloud.directory.apps:
            app.roles = {"Mail.Send", "Mail.ReadWrite"}
        weather = Weather(cloud, Random(seed))
        await daemon.authorize()
        for number in range(1, LIVES + 1):
            await daemon.start()
            await flood.greeted()
            state, part = folder / "state", seconds / LIVES
            life = await live(cloud, daemon, flood, weather, state, part, rate)
            lives.append(life)
            print(
                f"life {number}: {life}; {len(flood.told.acknowledged)} acknowledged, "
                f"{len(cloud.mailboxes.submissions)} submitted",
                flush=True,
            )
            if number < LIVES:
                await daemon.stop()
        cloud.faults.clear()
        async with asyncio.timeout(900):
            await emptied(daemon, flood, cloud.mailboxes.submissions)
        await daemon.stop()
        return lives, judge(flood, cloud.mailboxes.submissions, 0, weather.withheld)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=40, help="messages a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exact-once", action="store_true", help="nothing may come twice")
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        account = EXACT_ONCE if chosen.exact_once else ""
        soak = run(chosen.minutes * 60, chosen.rate, chosen.seed, Path(folder), account)
        lives, verdict = asyncio.run(soak)
    grown = sorted({name for life in lives for name in life.grown})
    print(verdict)
    print(
        f"grown: {', '.join(grown)}"
        if grown
        else "memory, descriptors, threads, disk and the backlog are flat"
    )
    doubled = chosen.exact_once and verdict.doubled
    return 0 if verdict.holds and not grown and not doubled else 1


if __name__ == "__main__":
    sys.exit(main())
