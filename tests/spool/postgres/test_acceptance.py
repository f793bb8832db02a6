"""What nobody was given a 250 for is not kept, and what was accepted has an id of its own."""

import asyncio
from typing import Any

import psycopg
import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageAway
from graphrelay.spool.changes import Hold, Release
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.statements.put import Deposited
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.queue_ids import QueueIds
from tests.clock import FakeClock
from tests.spool.mail import WEBSITE, put, waiting_in
from tests.spool.postgres.relays import a_relay


async def test_a_caller_who_gives_up_leaves_nothing_behind(
    spool: PostgresSpool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message is being committed by then, or waits for that."""
    real, jobs = spool._writer.submit, list[Any]()

    def submit(kind: Any, value: Any) -> Any:
        jobs.append(real(kind, value))
        return jobs[-1]

    async def two_that(begun: bool) -> list[asyncio.Task[Any]]:
        first = len(jobs)
        tasks = [asyncio.create_task(put(spool)) for _ in range(2)]
        while [job.begun for job in jobs[first:]] != [begun] * 2:  # noqa: ASYNC110 (the writer)
            await asyncio.sleep(0)
        return tasks

    monkeypatch.setattr(spool._writer, "submit", submit)
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute("LOCK TABLE graphrelay.commits")
        tasks = [*await two_that(begun=True), *await two_that(begun=False)]
        for task in tasks[::2]:
            task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(parts) for parts in found] == [asyncio.CancelledError, tuple] * 2
    kept = {part.id for parts in found if isinstance(parts, tuple) for part in parts}
    kept |= {part.id for part in await put(spool)}  # which is committed after what is taken back
    assert {row.submission_id for row in await spool.read(QueueFilter())} == kept
    assert len(kept) == 3


async def test_a_caller_who_gives_up_as_the_answer_comes_leaves_nothing_behind(
    spool: PostgresSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = spool._writer.submit

    def submit(kind: Any, value: Any) -> Any:
        job = real(kind, value)
        job.future.add_done_callback(lambda _: taking.cancel())
        return job

    monkeypatch.setattr(spool._writer, "submit", submit)
    taking = asyncio.create_task(put(spool))
    with pytest.raises(asyncio.CancelledError):
        await taking
    await asyncio.gather(*spool._transactions.under_way)
    assert await spool.read(QueueFilter()) == []
    assert spool.sends(WEBSITE)  # the lane that it made is this relay's


async def test_what_somebody_else_has_changed_by_then_is_not_taken_back(
    spool: PostgresSpool,
) -> None:
    (one,) = await put(spool)
    await spool.change(Hold(one.id, "by a person"))
    await spool.change(Release(one.id, "by a person"))
    await spool._acceptance.take_back(Deposited((one,), frozenset()))
    assert await waiting_in(spool) == [one.id]


async def test_a_message_is_taken_back_also_where_the_connection_breaks_then(
    spool: PostgresSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may, since nobody knew in time whether it had been committed."""
    (one,) = await put(spool)
    real, broken = spool._transactions.run, list[str]()

    async def run(work: Any, doing: str) -> Any:
        if not broken:
            broken.append(doing)
            raise StorageAway("the connection is lost")
        return await real(work, doing)

    monkeypatch.setattr(spool._transactions, "run", run)
    await spool._acceptance.take_back(Deposited((one,), frozenset()))
    assert broken == ["take a message back"]
    assert await spool.read(QueueFilter()) == []


async def test_two_relays_that_choose_the_same_queue_id_both_accept_their_message(
    database: str, spool: PostgresSpool, clock: FakeClock, journal: Journal
) -> None:
    """As where a clock is set back, and ids go on from the last one."""
    async with a_relay(database, clock, journal, "second") as second:
        for relay in (spool, second):
            relay._acceptance.ids = QueueIds(chance=lambda bits: 0)
        ours, theirs = [(await put(relay))[0] for relay in (spool, second)]
        assert ours.queue_id < theirs.queue_id
