"""Relays that share a database, in one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from graphrelay.journal import Journal
from graphrelay.model import Address, Lane
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.values import LaneNote
from tests.clock import FakeClock
from tests.spool.mail import ANNA, a_message, plan, put

LONG = timedelta(hours=100)


class Watcher:
    """Records what a spool reports about lanes."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Lane]] = []
        self.noted: list[LaneNote] = []
        self._news = asyncio.Event()

    def gained(self, lane: Lane) -> None:
        self._note("gained", lane)

    def lost(self, lane: Lane) -> None:
        self._note("lost", lane)

    def changed(self, lane: Lane) -> None:
        self._note("changed", lane)

    def probe(self, lane: Lane) -> None:
        self._note("probe", lane)

    def notes(self) -> list[LaneNote]:
        return self.noted

    async def hears(self, what: str, lane: Lane) -> None:
        """Returns when that has been reported."""
        async with asyncio.timeout(30):
            while (what, lane) not in self.told:
                self._news.clear()
                await self._news.wait()

    def _note(self, what: str, lane: Lane) -> None:
        self.told.append((what, lane))
        self._news.set()


@asynccontextmanager
async def a_relay(
    database: str, clock: FakeClock, journal: Journal, host: str = "a", **more: Any
) -> AsyncIterator[PostgresSpool]:
    options = {"lease": LONG, **more}
    async with PostgresSpool.open(database, clock, journal, host=host, **options) as spool:
        yield spool


def lane(number: int) -> Lane:
    return Lane("website", f"m{number}@contoso.com")


LANES = [lane(number) for number in range(20)]


async def mail_in_every_lane(spool: PostgresSpool) -> None:
    for one in LANES:
        await put(spool, message=a_message((plan(one), (ANNA,))))


async def settled(*spools: PostgresSpool) -> None:
    """Every relay has seen what the others did."""
    for _ in range(3):
        for spool in spools:
            await spool.renew()


def one_to(name: str, where: Lane) -> Any:
    return a_message((plan(where), (Address(name, "example.org"),)))
