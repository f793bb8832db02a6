"""Old rows of the mail log are deleted, and nothing else."""

import asyncio
from datetime import timedelta

from graphrelay.model import Done
from graphrelay.spool.changes import Delete
from graphrelay.spool.queries import Count, HistoryOf, LogFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.statements.prune import PORTION
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, relayed

DAY = timedelta(days=1)


async def test_what_was_done_long_ago_is_forgotten(spool: SqliteSpool, clock: FakeClock) -> None:
    (old,) = await put(spool)
    await spool.change(Delete(old.id, "no"))
    await clock.advance(90 * DAY)
    (young,) = await put(spool)
    await spool.change(Delete(young.id, "no"))
    await clock.advance(DAY)

    assert await spool.prune(90 * DAY) == 1

    assert await spool.read(HistoryOf(old.queue_id)) is None
    assert [row.queue_id for row in await spool.read(LogFilter())] == [young.queue_id]
    assert len(await spool.read(LogFilter(recipient=str(ANNA)))) == 1
    assert await spool.prune(90 * DAY) == 0


async def test_what_waits_is_never_forgotten_however_old(
    spool: SqliteSpool, clock: FakeClock
) -> None:
    first, second = await put(spool, message=a_message((plan(), (ANNA,)), (plan(), (BERT,))))
    await spool.begin(first, NOON, "c")
    await spool.finish(first, relayed(), Done("relayed"))
    await clock.advance(1000 * DAY)
    assert await spool.prune(DAY) == 0
    assert await spool.load(second.id) == second


async def test_more_than_a_portion_is_forgotten_in_one_call(
    spool: SqliteSpool, clock: FakeClock
) -> None:
    many = await asyncio.gather(*(put(spool) for _ in range(PORTION + 5)))
    await asyncio.gather(*(spool.change(Delete(submission.id, "no")) for (submission,) in many))
    await clock.advance(DAY)
    assert await spool.prune(timedelta(0)) == PORTION + 5
    assert await spool.read(LogFilter()) == []


async def test_ids_are_not_given_again_after_all_was_forgotten(
    spool: SqliteSpool, clock: FakeClock
) -> None:
    (old,) = await put(spool)
    await spool.change(Delete(old.id, "no"))
    await clock.advance(DAY)
    await spool.prune(timedelta(0))
    (new,) = await put(spool)
    assert new.id > old.id


async def test_room_is_given_back(spool: SqliteSpool) -> None:
    submissions = await asyncio.gather(*(put(spool, bytes(60_000)) for _ in range(400)))
    await spool.tidy()
    full = (await spool.read(Count())).database
    await asyncio.gather(
        *(spool.change(Delete(submission.id, "no")) for (submission,) in submissions)
    )
    await spool.tidy()
    assert (await spool.read(Count())).database < full - (4 << 20)
