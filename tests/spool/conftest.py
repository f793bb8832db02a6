"""A spool on a real file system, with a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def entries() -> list[Entry]:
    """What was written to the journal."""
    return []


@pytest.fixture
def journal(clock: FakeClock, entries: list[Entry]) -> Journal:
    return Journal(clock, entries.append)


@pytest.fixture
async def spool(tmp_path: Path, clock: FakeClock, journal: Journal) -> AsyncIterator[SqliteSpool]:
    async with SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        yield spool
