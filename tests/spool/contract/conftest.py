"""Every engine, held to the same contract. An engine opens its spool as often as the test asks for
it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.contract import Spool
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool import memory

Engine = Callable[..., AbstractAsyncContextManager[Spool]]


class StandingClock(DatabaseClock):
    """The database's clock, which the test moves."""

    def follow(self, now: int, asked_at: timedelta | None = None) -> None:
        if not self._base:
            super().follow(now, asked_at)


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, journal: Journal
) -> Engine:
    """Opens the same spool each time: one process after the other."""
    if request.param == "sqlite":
        return lambda **options: SqliteSpool.open(
            tmp_path / "spool", clock, journal, reserve=0, **options
        )
    if request.param == "postgres":
        url = request.getfixturevalue("database")
        return lambda **options: PostgresSpool.open(
            url,
            clock,
            journal,
            lease=timedelta(hours=100),
            database_clock=StandingClock(clock, journal),
            **options,
        )
    connection = memory.connect()
    return lambda **options: memory.opened(clock, journal, connection, **options)


@pytest.fixture
async def spool(engine: Engine) -> AsyncIterator[Spool]:
    async with engine() as spool:
        yield spool
