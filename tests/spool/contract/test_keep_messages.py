"""The octets of a message that is done: deleted at once, or kept for a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from graphrelay.model import Done, Submission
from graphrelay.spool.changes import Delete
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import Count, HistoryOf
from tests.clock import FakeClock
from tests.spool.contract.conftest import Engine
from tests.spool.mail import NOON, put, relayed

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SMALL, LARGE = b"Hello\r\n", b"Hello, all of you.\r\n" * 20_000


@pytest.fixture
async def keeping(engine: Engine) -> AsyncIterator[Spool]:
    async with engine(keep_messages=DAY) as spool:
        yield spool


async def send(spool: Spool, octets: bytes) -> Submission:
    (submission,) = await put(spool, octets)
    await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(), Done("relayed"))
    return submission


async def keep_house_until_gone(spool: Spool, one: Submission, clock: FakeClock) -> None:
    house = asyncio.create_task(spool.keep_house(90 * DAY))
    async with asyncio.timeout(30):
        while await kept(spool, one):
            await clock.advance(MINUTE)
    house.cancel()


async def kept(spool: Spool, one: Submission) -> bool:
    found = await spool.read(HistoryOf(one.queue_id))
    return found is not None and found.octets_kept


async def read(submission: Submission) -> bytes:
    body = submission.body
    return await asyncio.to_thread(body.read, 0, body.size)


@pytest.mark.parametrize("octets", [SMALL, LARGE])
async def test_a_message_that_was_relayed_can_be_read_again(keeping: Spool, octets: bytes) -> None:
    one = await send(keeping, octets)
    assert await kept(keeping, one)
    assert await read(await keeping.load(one.id, kept=True)) == octets
    with pytest.raises(NotQueued):
        await keeping.load(one.id)
    assert (await keeping.read(Count())).octets == 0, "nothing of it waits"


@pytest.mark.parametrize("octets", [SMALL, LARGE])
async def test_it_is_forgotten_when_the_time_is_over(
    keeping: Spool, octets: bytes, clock: FakeClock
) -> None:
    one = await send(keeping, octets)
    clock.set_wall_clock(NOON + DAY - MINUTE)
    await asyncio.wait_for(one_round(keeping), 10)
    assert await kept(keeping, one)
    clock.set_wall_clock(NOON + DAY + MINUTE)
    await keep_house_until_gone(keeping, one, clock)
    with pytest.raises(NotQueued):
        await keeping.load(one.id, kept=True)


async def one_round(spool: Spool) -> None:
    house = asyncio.create_task(spool.keep_house(90 * DAY))
    for _ in range(20):
        await spool.read(Count())
    house.cancel()


async def test_the_next_process_may_keep_nothing(engine: Engine, clock: FakeClock) -> None:
    async with engine(keep_messages=DAY) as spool:
        one = await send(spool, SMALL)
    async with engine() as spool:
        assert await kept(spool, one)
        clock.set_wall_clock(NOON + MINUTE)
        await keep_house_until_gone(spool, one, clock)


async def test_what_a_person_deletes_is_gone_at_once(keeping: Spool) -> None:
    (one,) = await put(keeping, SMALL)
    await keeping.change(Delete(one.queue_id, "secret"))
    assert not await kept(keeping, one)


async def test_octets_never_outlive_the_mail_log(engine: Engine, clock: FakeClock) -> None:
    async with engine(keep_messages=900 * DAY) as spool:
        one = await send(spool, LARGE)
        clock.set_wall_clock(NOON + 90 * DAY + MINUTE)
        await keep_house_until_gone(spool, one, clock)
        assert await spool.read(HistoryOf(one.queue_id)) is None
