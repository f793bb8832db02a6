"""Group commit, and what happens when the answer to a commit is lost."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import psycopg
import pytest
from psycopg import errors

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable, Submission
from graphrelay.spool.errors import FateUnknown, NotQueued
from graphrelay.spool.postgres import PostgresSpool, writer
from graphrelay.spool.postgres.connections import Connections
from graphrelay.spool.queries import QueueFilter
from tests.clock import FakeClock
from tests.spool.mail import NOON, a_message, put, waiting_in
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer

Meanwhile = Callable[[], Awaitable[None]]


async def nothing() -> None:
    pass


class _BreaksAtCommit:
    """A connection that is lost at the next COMMIT, before or after the server did it."""

    def __init__(self, connection: Any, done: bool, meanwhile: Meanwhile) -> None:
        self._connection, self._done, self._meanwhile = connection, done, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, query: Any, *values: Any) -> Any:
        if query != "COMMIT":
            return await self._connection.execute(query, *values)
        if self._done:
            await self._connection.execute(query)
        await self._connection.close()
        await self._meanwhile()
        raise psycopg.OperationalError("the connection is lost")


class Break(Protocol):
    def __call__(self, done: bool, meanwhile: Meanwhile = ...) -> None: ...


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Break:
    """The answer to the next COMMIT is lost, and much may happen before another is asked for."""
    real = Connections.one

    def lose(done: bool, meanwhile: Meanwhile = nothing) -> None:
        @asynccontextmanager
        async def one(self: Connections) -> AsyncIterator[Any]:
            async with real(self) as connection:
                yield _BreaksAtCommit(connection, done, once)

        async def once() -> None:
            monkeypatch.setattr(Connections, "one", real)
            await meanwhile()

        monkeypatch.setattr(Connections, "one", one)

    return lose


async def test_a_commit_that_was_done_is_known_although_its_answer_was_lost(
    spool: PostgresSpool, lose: Break
) -> None:
    lose(True)
    (one,) = await put(spool)
    assert await waiting_in(spool) == [one.id]
    lose(True)
    assert await spool.begin(one, NOON, "c") == 1
    assert await waiting_in(spool) == []


async def test_a_commit_that_was_not_done_keeps_nothing(spool: PostgresSpool, lose: Break) -> None:
    lose(False)
    with pytest.raises(StorageUnavailable):
        await put(spool)
    assert await spool.read(QueueFilter()) == []
    await put(spool)


async def test_what_became_of_a_commit_is_asked_until_the_server_can_say_it(
    spool: PostgresSpool, lose: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = Connections.one, list[psycopg.Error]()
    monkeypatch.setattr(writer, "LOOK_AGAIN", 0.0)

    @asynccontextmanager
    async def one(self: Connections) -> AsyncIterator[Any]:
        if not refused:
            monkeypatch.setattr(Connections, "one", real)
        else:
            raise refused.pop()
        async with real(self) as connection:
            yield connection

    async def standby_first() -> None:
        refused.extend((psycopg.OperationalError("away"), errors.ReadOnlySqlTransaction("standby")))
        monkeypatch.setattr(Connections, "one", one)

    lose(True, standby_first)
    (mail,) = await put(spool)
    assert refused == []
    assert await waiting_in(spool) == [mail.id]


async def test_a_relay_that_can_never_know_what_became_of_a_commit_ends(
    database: str,
    clock: FakeClock,
    journal: Journal,
    lose: Break,
    postgres_server_of_all: PostgresServer,
) -> None:
    """Neither are the jobs tried once more, each for itself."""

    async def drop() -> None:
        postgres_server_of_all.execute("DROP TABLE graphrelay.commits")

    async def run() -> None:
        async with a_relay(database, clock, journal) as spool:
            lose(True, drop)
            await asyncio.gather(put(spool), put(spool))

    with pytest.raises(FateUnknown, match='"commits" does not exist'):
        await run()
    assert postgres_server_of_all.execute("SELECT count(*) FROM graphrelay.messages") == [(2,)]


async def test_nothing_begins_in_a_lane_that_was_lost_before_its_commit_was_known(
    spool: PostgresSpool, lose: Break, postgres_server_of_all: PostgresServer
) -> None:
    """Cut off from the database for longer than its lease, the relay is back under another name."""

    async def replaced() -> None:
        postgres_server_of_all.execute("DELETE FROM graphrelay.relays")
        await spool.renew()

    (mail,) = await put(spool)
    lose(True, replaced)
    with pytest.raises(NotQueued, match="another relay's by now"):
        await spool.begin(mail, NOON, "c")


async def test_a_failure_that_no_caller_waits_for_does_not_reach_the_journal_as_a_traceback(
    spool: PostgresSpool, lose: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, jobs, complaints = spool._writer.submit, list[Any](), list[Any]()

    def submit(kind: Any, value: Any) -> Any:
        jobs.append(real(kind, value))
        return jobs[0]

    monkeypatch.setattr(spool._writer, "submit", submit)
    asyncio.get_running_loop().set_exception_handler(lambda _, found: complaints.append(found))
    lose(False)
    taking = asyncio.create_task(put(spool))
    while not (jobs and jobs[0].begun):  # noqa: ASYNC110 (the writer sets it)
        await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking, jobs[0].future])
    assert taking.cancelled()
    await asyncio.sleep(0)
    del taking, jobs[:]
    gc.collect()
    assert not complaints


async def test_one_that_cannot_be_kept_fails_no_other(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    async def large() -> tuple[Submission, ...]:
        return await put(spool, bytes(600_000))

    async def swept() -> tuple[Submission, ...]:
        body = spool.incoming()
        await body.write(bytes(600_000))
        postgres_server_of_all.execute("DELETE FROM graphrelay.uploads")
        return await spool.accept(a_message(), body)

    found = await asyncio.gather(swept(), return_exceptions=True)
    assert isinstance(found[0], StorageUnavailable)
    both = await asyncio.gather(large(), large())
    assert len(await waiting_in(spool)) == len(both)


async def test_a_message_of_which_the_server_lost_a_piece_is_not_taken(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    """Pieces do not wait for the disk: a server that breaks down meanwhile may lose the last."""
    body = spool.incoming()
    for _ in range(4):
        await body.write(bytes(300_000))
    postgres_server_of_all.execute("DELETE FROM graphrelay.pieces WHERE start = 524288")
    with pytest.raises(StorageUnavailable):
        await spool.accept(a_message(), body)
    assert await waiting_in(spool) == []
    (whole,) = await put(spool, bytes(1_200_000))
    assert await waiting_in(spool) == [whole.id]
