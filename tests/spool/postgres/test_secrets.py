"""Octets by name: compared before they are replaced, renewed in turn, and noticed by all relays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.notifications import POLL
from tests.clock import FakeClock
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer

T = TypeVar("T")
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def other(
    database: str, clock: FakeClock, journal: Journal, spool: PostgresSpool
) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "b") as other:
        yield other


async def threaded(work: Callable[[], T]) -> T:
    """As the vault's thread does it."""
    return await asyncio.to_thread(work)


async def put(spool: PostgresSpool, octets: bytes, version: int = 0) -> int | None:
    return await threaded(lambda: spool.secrets.write("s", "website", octets, version))


async def read(spool: PostgresSpool) -> tuple[int, bytes] | None:
    return await threaded(lambda: spool.secrets.read("s", "website"))


class Heard:
    """What a relay hears of secrets."""

    def __init__(self, spool: PostgresSpool) -> None:
        self.names: list[str] = []
        self._news = asyncio.Event()
        spool.secrets.on_change(self._note)

    def _note(self, service: str, name: str) -> None:
        self.names.append(name)
        self._news.set()

    async def until(self, times: int) -> None:
        async with asyncio.timeout(30):
            while len(self.names) < times:
                self._news.clear()
                await self._news.wait()


async def test_what_one_relay_writes_another_reads(
    spool: PostgresSpool, other: PostgresSpool
) -> None:
    assert await read(other) is None
    version = await put(spool, b"one")
    assert await read(other) == (version, b"one")
    assert await threaded(lambda: other.secrets.names("s")) == ["website"]
    assert await threaded(lambda: other.secrets.names("elsewhere")) == []


async def test_a_relay_that_stood_still_replaces_and_deletes_nothing_newer(
    spool: PostgresSpool, other: PostgresSpool
) -> None:
    first = await put(spool, b"one")
    assert first
    second = await put(other, b"two", first)
    assert await put(spool, b"old", first) is None
    assert not await threaded(lambda: spool.secrets.remove("s", "website", first))
    assert await read(spool) == (second, b"two")


async def test_what_was_deleted_and_put_again_is_another_version(spool: PostgresSpool) -> None:
    first = await put(spool, b"one")
    assert first
    assert await threaded(lambda: spool.secrets.remove("s", "website", first))
    again = await put(spool, b"one")
    assert again != first
    assert await put(spool, b"old", first) is None


async def test_of_two_relays_that_put_the_first_one_writes(
    spool: PostgresSpool, other: PostgresSpool
) -> None:
    versions = await asyncio.gather(put(spool, b"a"), put(other, b"b"))
    assert sum(version is not None for version in versions) == 1


async def test_a_turn_is_one_relays_until_it_ends_it_or_its_time_is_over(
    spool: PostgresSpool, other: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    def claim(who: PostgresSpool) -> Callable[[], bool]:
        return lambda: who.secrets.claim("s", "website", MINUTE)

    assert await threaded(claim(spool))
    assert not await threaded(claim(other))
    assert await threaded(claim(spool)), "its answer was lost, and it asks again"
    await threaded(lambda: other.secrets.release("s", "website"))
    assert not await threaded(claim(other)), "nobody ends another one's turn"
    await threaded(lambda: spool.secrets.release("s", "website"))
    assert await threaded(claim(other))
    postgres_server_of_all.execute("UPDATE graphrelay.turns SET until = until - 61000000")
    assert await threaded(claim(spool)), "the other one is frozen"


async def test_every_relay_hears_of_a_change(spool: PostgresSpool, other: PostgresSpool) -> None:
    """It may come before the other one listens."""
    heard = Heard(other)
    version = await put(spool, b"one")
    await heard.until(1)
    assert version
    heard.names.clear()
    await threaded(lambda: spool.secrets.remove("s", "website", version))
    await heard.until(1)
    assert set(heard.names) == {"website"}


async def test_a_lost_notification_costs_no_more_than_the_poll(
    other: PostgresSpool, clock: FakeClock, postgres_server_of_all: PostgresServer
) -> None:
    heard = Heard(other)
    postgres_server_of_all.execute("INSERT INTO graphrelay.secrets VALUES ('s', 'website', 1, 'x')")
    await clock.advance(POLL)
    await heard.until(1)
    await other.secrets.look()
    assert heard.names == ["website"], "and is not heard of again"


async def test_without_the_database_the_thread_hears_so(
    database: str, clock: FakeClock, journal: Journal, postgres_server_of_all: PostgresServer
) -> None:
    async with a_relay(database, clock, journal) as spool:
        postgres_server_of_all.execute("ALTER TABLE graphrelay.secrets RENAME TO elsewhere")
        with pytest.raises(StorageUnavailable, match="read an authorization"):
            await read(spool)
