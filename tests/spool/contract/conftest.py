"""Every engine, held to the same contract. An engine is what opens its spool, again and again."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.spool import Spool
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool import memory

Engine = Callable[[], AbstractAsyncContextManager[Spool]]


@pytest.fixture(params=["sqlite", "memory"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, journal: Journal
) -> Engine:
    """Opens the same spool each time: one process after the other."""
    if request.param == "sqlite":
        return lambda: SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0)
    connection = memory.connect()
    return lambda: memory.opened(clock, journal, connection)


@pytest.fixture
async def spool(engine: Engine) -> AsyncIterator[Spool]:
    async with engine() as spool:
        yield spool
