"""A relay on an empty database."""

from collections.abc import AsyncIterator

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.postgres import PostgresSpool
from tests.clock import FakeClock
from tests.spool.postgres.relays import a_relay


@pytest.fixture
async def spool(database: str, clock: FakeClock, journal: Journal) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal) as spool:
        yield spool
