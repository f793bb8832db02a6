"""The tables are created once, and a newer schema is left alone."""

import asyncio

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.postgres import schema
from graphrelay.spool.postgres.connections import connect
from tests.clock import FakeClock
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


async def test_a_newer_schema_is_refused_untouched(
    database: str, clock: FakeClock, journal: Journal, postgres_server_of_all: PostgresServer
) -> None:
    async with a_relay(database, clock, journal):
        pass
    postgres_server_of_all.execute("INSERT INTO graphrelay.schema_version VALUES (99)")
    with pytest.raises(SpoolTooNew, match="version 99"):
        async with a_relay(database, clock, journal):
            pass


async def test_of_relays_that_start_at_the_same_time_one_makes_it(database: str) -> None:
    async def start() -> tuple[int, int]:
        connection = await connect(database)
        async with connection:
            return await schema.migrate(connection)

    found = await asyncio.gather(*(start() for _ in range(5)))
    newest = schema.newest()
    assert {after for _, after in found} == {newest}
    assert sorted(before for before, _ in found) == [0] + [newest] * 4
