"""An alert about what all relays see is sent by one of them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.postgres import PostgresSpool
from tests.clock import FakeClock
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer

HOURS = timedelta(hours=6)


@pytest.fixture
async def other(
    database: str, clock: FakeClock, journal: Journal, spool: PostgresSpool
) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal, "b") as other:
        yield other


async def seen(spool: PostgresSpool, subject: str = "") -> bool:
    return await spool.alerts.is_ours("queue", subject, over=False, repeat_after=HOURS)


async def over(spool: PostgresSpool, subject: str = "") -> bool:
    return await spool.alerts.is_ours("queue", subject, over=True, repeat_after=HOURS)


def later(server: PostgresServer, hours: int) -> None:
    server.execute(f"UPDATE graphrelay.alerts SET sent_at = sent_at - {hours} * 3600000000")


async def test_the_first_relay_that_sees_it_sends_it(
    spool: PostgresSpool, other: PostgresSpool
) -> None:
    assert await seen(spool)
    assert not await seen(other)
    assert not await seen(spool)
    assert await seen(other, "another cause")


async def test_it_is_repeated_once_in_the_interval(
    spool: PostgresSpool, other: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    assert await seen(spool)
    later(postgres_server_of_all, 5)
    assert not await seen(other)
    later(postgres_server_of_all, 1)
    assert await seen(other)
    assert not await seen(spool)


async def test_the_last_relay_that_saw_it_says_that_it_is_over(
    spool: PostgresSpool, other: PostgresSpool
) -> None:
    """The lane has gone to the other one, where it is paused as well."""
    assert await seen(spool)
    assert not await seen(other)
    assert not await over(spool)
    assert await over(other)
    assert not await over(other)
    assert await seen(spool), "it is there again"


async def test_what_a_relay_saw_that_is_gone_is_for_the_others(
    spool: PostgresSpool, other: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    assert await seen(spool)
    assert await seen(spool, "lane")
    postgres_server_of_all.execute("DELETE FROM graphrelay.relays WHERE host = 'a'")
    assert await over(other)
    assert await seen(other, "lane"), "perhaps it died before it had sent it"
