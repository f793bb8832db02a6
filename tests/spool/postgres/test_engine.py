"""The server is away, comes back, or is read-only; and what a process leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from signal import SIGKILL

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.postgres import PostgresSpool, connections
from graphrelay.spool.postgres.statements import prune
from graphrelay.spool.queries import Count
from tests.clock import FakeClock
from tests.spool import postgres_server
from tests.spool.mail import put, waiting_in
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


@pytest.fixture
async def spool(database: str, clock: FakeClock, journal: Journal) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal) as spool:
        yield spool


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with postgres_server.running() as server:
        yield server


async def test_mail_is_refused_while_the_server_is_away_and_taken_again_when_it_is_back(
    own_server: PostgresServer,
    clock: FakeClock,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    async with a_relay(own_server.url(), clock, journal) as spool:
        (one,) = await put(spool)
        own_server.stop(SIGKILL)
        with pytest.raises(StorageUnavailable):
            await put(spool)
        own_server.start()
        (other,) = await put(spool)
        assert await waiting_in(spool) == [one.id, other.id]


async def test_mail_is_refused_while_the_server_is_read_only(
    database: str, spool: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    read_only = "ALTER SYSTEM SET default_transaction_read_only = on"
    postgres_server_of_all.execute(read_only)
    postgres_server_of_all.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(StorageUnavailable, match="read-only"):
            await _put_until_refused(spool)
    finally:
        for sql in (
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        ):
            postgres_server_of_all.execute(sql)
    while True:
        try:
            await put(spool)
        except StorageUnavailable:
            continue
        break


async def test_a_newer_schema_is_refused_untouched(
    database: str, clock: FakeClock, journal: Journal, postgres_server_of_all: PostgresServer
) -> None:
    async with a_relay(database, clock, journal):
        pass
    postgres_server_of_all.execute("INSERT INTO graphrelay.schema_version VALUES (99)")
    with pytest.raises(SpoolTooNew, match="version 99"):
        async with a_relay(database, clock, journal):
            pass


async def test_a_process_that_does_not_send_leases_nothing(
    database: str, spool: PostgresSpool, clock: FakeClock, journal: Journal
) -> None:
    async with a_relay(database, clock, journal, sends=False) as other:
        (one,) = await put(other)
        assert await other.lanes() == ()
        assert not other.sends(one.plan.lane)
    await spool.renew()
    assert await spool.lanes() == (one.plan.lane,)


async def test_a_large_body_is_read_from_any_place(spool: PostgresSpool) -> None:
    octets = bytes(range(256)) * 5000
    body = spool.incoming()
    for at in range(0, len(octets), 70_001):
        await body.write(octets[at : at + 70_001])
    assert await body.head(300_000) == octets[:300_000]
    await body.discard()
    (one,) = await put(spool, octets)
    for start, end in ((0, 10), (262_140, 262_150), (1_000_000, 2_000_000), (0, len(octets))):
        assert await asyncio.to_thread(one.body.read, start, end) == octets[start:end]


async def test_what_a_relay_that_has_gone_was_receiving_is_swept(
    database: str,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    postgres_server_of_all: PostgresServer,
) -> None:
    async with a_relay(database, clock, journal) as spool:
        await spool.incoming().write(bytes(600_000))
    async with a_relay(database, clock, journal) as spool:
        (kept,) = await put(spool, bytes(600_000))
        await spool._look(prune.sweep, "sweep")
        found = postgres_server_of_all.execute("SELECT count(DISTINCT body) FROM graphrelay.pieces")
        assert found == [(1,)]
        assert (await spool.load(kept.id)).size == 600_000
        assert (await spool.read(Count())).database > 0


async def _put_until_refused(spool: PostgresSpool) -> None:
    """The server takes a moment to read its configuration."""
    while True:
        await put(spool)
