"""A spool on a real file system, with a clock that the test moves."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool import postgres_server
from tests.spool.postgres_server import PostgresServer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def entries() -> list[Entry]:
    """What the journal was told."""
    return []


@pytest.fixture
def journal(clock: FakeClock, entries: list[Entry]) -> Journal:
    return Journal(clock, entries.append)


@pytest.fixture(scope="session")
def postgres_server_of_all() -> Iterator[PostgresServer]:
    """One for the whole run."""
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def database(postgres_server_of_all: PostgresServer) -> str:
    """The URL of a database in which there is no spool yet."""
    postgres_server_of_all.execute("DROP SCHEMA IF EXISTS graphrelay CASCADE")
    return postgres_server_of_all.url()


@pytest.fixture
async def spool(tmp_path: Path, clock: FakeClock, journal: Journal) -> AsyncIterator[SqliteSpool]:
    async with SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        yield spool
