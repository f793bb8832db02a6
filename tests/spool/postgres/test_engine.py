"""The server is away, comes back, or is read-only; and what a process leaves behind."""

from collections.abc import Iterator
from signal import SIGKILL

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres import PostgresSpool, connections
from tests.clock import FakeClock
from tests.spool import postgres_server
from tests.spool.mail import put, waiting_in
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


@pytest.mark.parametrize(("asked", "uses"), [("off", "on"), ("remote_apply", "remote_apply")])
async def test_what_a_commit_waits_for_is_reported_at_the_start(
    database: str, clock: FakeClock, journal: Journal, entries: list[Entry], asked: str, uses: str
) -> None:
    url = f"{database}&options=-csynchronous_commit%3D{asked}"
    async with a_relay(url, clock, journal):
        pass
    [shared] = [entry.fields for entry in entries if entry.event == "spool-shared"]
    assert (shared["asked"], shared["synchronous_commit"]) == (asked, uses)
    risks = [entry.fields["setting"] for entry in entries if entry.event == "spool-at-risk"]
    assert risks == ["fsync = off", "full_page_writes = off"]
