"""What is no longer needed is deleted."""

from datetime import timedelta

from graphrelay.journal import Entry, Journal
from graphrelay.model import Done
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.statements import prune
from graphrelay.spool.queries import Count, LogFilter
from tests.clock import FakeClock
from tests.spool.mail import NOON, put, relayed
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


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
        await spool._connections.run(prune.sweep, "sweep")
        found = postgres_server_of_all.execute("SELECT count(DISTINCT body) FROM graphrelay.pieces")
        assert found == [(1,)]
        assert (await spool.load(kept.id)).size == 600_000
        assert (await spool.read(Count())).database > 0


async def test_what_was_done_long_ago_is_forgotten(spool: PostgresSpool) -> None:
    (old,), (waiting,) = await put(spool), await put(spool)
    await spool.begin(old, NOON, "c")
    await spool.finish(old, relayed(), Done("relayed"))
    later = NOON + timedelta(days=1)
    assert await spool._connections.run(lambda c: prune.prune(c, NOON), "prune") == 0
    assert await spool._connections.run(lambda c: prune.prune(c, later), "prune") == 1
    assert await spool.read(LogFilter()) == []
    assert (await spool.load(waiting.id)).id == waiting.id


async def test_the_last_transaction_of_a_relay_that_lives_is_not_forgotten(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    """However long ago it was: without it, the relay would take its next one for undone."""
    postgres_server_of_all.execute("UPDATE graphrelay.commits SET at = 0")
    postgres_server_of_all.execute("INSERT INTO graphrelay.commits VALUES ('gone', 7, 0)")
    await spool._connections.run(prune.sweep, "sweep")
    found = postgres_server_of_all.execute("SELECT process FROM graphrelay.commits")
    assert found == [(spool._connections.process,)]
