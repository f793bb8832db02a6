"""The server is away, comes back, or is read-only; and what a process leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from signal import SIGKILL
from typing import Any

import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.postgres import PostgresSpool, connections
from graphrelay.spool.postgres.leases import Leases
from graphrelay.spool.postgres.notifications import POLL, Notifications
from graphrelay.spool.postgres.statements import attempts
from graphrelay.spool.postgres.writer import Writer
from tests.clock import FakeClock
from tests.spool import postgres_server
from tests.spool.mail import NOON, put, waiting_in
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


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
            await put(spool)  # on a connection that has just been lost
        with pytest.raises(StorageUnavailable, match=r"no connection to the server: .* refused"):
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


async def test_a_process_that_does_not_send_leases_nothing(
    database: str, spool: PostgresSpool, clock: FakeClock, journal: Journal
) -> None:
    async with a_relay(database, clock, journal, sends=False) as other:
        (one,) = await put(other)
        assert await other.lanes() == ()
        assert not other.sends(one.plan.lane)
    await spool.renew()
    assert await spool.lanes() == (one.plan.lane,)


async def _put_until_refused(spool: PostgresSpool) -> None:
    """The server takes a moment to read its configuration."""
    while True:
        await put(spool)


class Bug(Exception):  # noqa: N818 (what it stands for)
    """Anything that is no failure of the server."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces something by what has a bug."""

    def broken(owner: Any, name: str) -> None:
        def fails(*_: Any, **__: Any) -> None:
            raise Bug

        monkeypatch.setattr(owner, name, fails)

    return broken


@asynccontextmanager
async def a_relay_that_a_bug_ends(
    database: str, clock: FakeClock, journal: Journal
) -> AsyncIterator[PostgresSpool]:
    """With the task of its own in which a relay runs."""
    opened = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with a_relay(database, clock, journal) as spool:
            opened.set_result(spool)
            await asyncio.Event().wait()

    relay = asyncio.create_task(run())
    yield await opened
    async with asyncio.timeout(20):
        with pytest.raises(Bug):
            await relay


async def test_a_bug_in_the_leases_ends_the_relay_and_frees_its_lanes(
    database: str,
    clock: FakeClock,
    journal: Journal,
    broken: Any,
    postgres_server_of_all: PostgresServer,
) -> None:
    async with a_relay_that_a_bug_ends(database, clock, journal) as spool:
        await put(spool)
        broken(Leases, "_compare")
        spool._leases.look_soon()
    assert postgres_server_of_all.execute("SELECT id FROM graphrelay.relays") == []
    assert postgres_server_of_all.execute("SELECT owner FROM graphrelay.lanes") == [(None,)]


_LISTENING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND state = 'idle'"


async def test_a_bug_in_what_is_done_with_a_notification_ends_the_relay(
    database: str,
    clock: FakeClock,
    journal: Journal,
    broken: Any,
    postgres_server_of_all: PostgresServer,
) -> None:
    async with a_relay_that_a_bug_ends(database, clock, journal):
        while not postgres_server_of_all.execute(_LISTENING):  # noqa: ASYNC110 (a server)
            await asyncio.sleep(0)
        broken(Notifications, "_notified")
        postgres_server_of_all.execute("SELECT pg_notify('graphrelay', '{}')")


async def test_a_bug_in_the_look_at_everything_ends_the_relay(
    database: str, clock: FakeClock, journal: Journal, broken: Any
) -> None:
    async with a_relay_that_a_bug_ends(database, clock, journal):
        broken(Notifications, "_look_everywhere")
        await clock.advance(POLL)


async def test_a_bug_in_the_writer_ends_the_relay_and_nobody_waits_for_ever(
    database: str, clock: FakeClock, journal: Journal, broken: Any
) -> None:
    async with a_relay_that_a_bug_ends(database, clock, journal) as spool:
        broken(Writer, "_answer")
        with pytest.raises(StorageUnavailable, match="closed"):
            await put(spool)


async def test_a_bug_in_what_remains_to_be_done_after_a_call_ends_the_relay(
    database: str,
    clock: FakeClock,
    journal: Journal,
    broken: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_relay_that_a_bug_ends(database, clock, journal) as spool:
        (one,) = await put(spool)
        monkeypatch.setattr(spool._leases, "alive", lambda: False)
        broken(attempts, "withdraw")
        with pytest.raises(NotQueued):
            await spool.begin(one, NOON, "c")
