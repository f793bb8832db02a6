"""Answers that are shared for a moment."""

import asyncio
from datetime import timedelta

from graphrelay.console.live import PAUSE
from graphrelay.console.shared import SHARE, SharedAnswer
from tests.clock import FakeClock, settle

MOMENT = timedelta(milliseconds=1)


class Spool:
    def __init__(self, took: timedelta) -> None:
        self.clock = FakeClock()
        self.reads = 0
        self._took = took

    async def read(self) -> int:
        self.reads += 1
        await self.clock.advance(self._took)
        return self.reads


async def test_an_answer_is_shared_until_a_page_can_hear_of_a_change() -> None:
    spool = Spool(timedelta(0))
    kept = SharedAnswer(spool.clock, spool.read)
    assert [await kept.get(), await kept.get()] == [1, 1]
    await spool.clock.advance(PAUSE - MOMENT)
    assert await kept.get() == 1
    await spool.clock.advance(MOMENT)
    assert await kept.get() == 2


async def test_what_took_long_is_kept_so_much_longer() -> None:
    spool = Spool(timedelta(seconds=1))
    kept = SharedAnswer(spool.clock, spool.read)
    await kept.get()
    await spool.clock.advance(timedelta(seconds=SHARE - 1) - MOMENT)
    assert await kept.get() == 1
    await spool.clock.advance(MOMENT)
    assert await kept.get() == 2


async def test_who_asks_while_it_is_read_gets_the_same_answer() -> None:
    clock, may_answer, reads = FakeClock(), asyncio.Event(), 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        await may_answer.wait()
        return reads

    kept = SharedAnswer(clock, read)
    asking = [asyncio.create_task(kept.get()) for _ in range(10)]
    await settle()
    may_answer.set()
    assert await asyncio.gather(*asking) == [1] * 10


async def test_a_person_gets_no_answer_from_before() -> None:
    spool = Spool(timedelta(0))
    kept = SharedAnswer(spool.clock, spool.read)
    await kept.get()
    await spool.clock.advance(MOMENT)
    assert await kept.get() == 1
    assert await kept.get(for_person=True) == 2
    assert await kept.get() == 2


async def test_what_is_from_before_a_change_says_when_there_is_a_newer_answer() -> None:
    spool, changes = Spool(timedelta(seconds=1)), 7
    kept = SharedAnswer(spool.clock, spool.read, lambda: changes)
    assert kept.newer_in is None
    await kept.get()
    assert kept.newer_in is None
    changes += 1
    assert kept.newer_in == timedelta(seconds=SHARE - 1)
    await spool.clock.advance(timedelta(seconds=SHARE))
    assert kept.newer_in == timedelta(0)
    await kept.get()
    assert kept.newer_in is None


async def test_people_who_ask_at_the_same_time_share_one_answer() -> None:
    spool = Spool(timedelta(0))
    kept = SharedAnswer(spool.clock, spool.read)
    assert await asyncio.gather(*(kept.get(for_person=True) for _ in range(10))) == [1] * 10
