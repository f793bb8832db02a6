"""Turns: one page of a user at a time, and not without end."""

import asyncio
from datetime import timedelta

import pytest

from graphrelay.console.turns import AHEAD, MOST_WAITING, SHARE, TooManyAtOnce, Turns
from tests.clock import FakeClock, settle

SECOND = timedelta(seconds=1)


async def page(turns: Turns, clock: FakeClock, who: str, takes: timedelta = SECOND) -> None:
    async with turns.turn(who):
        await clock.advance(takes)


async def test_one_page_of_a_user_is_made_at_a_time_and_others_do_not_wait() -> None:
    turns, may_end = Turns(FakeClock()), asyncio.Event()
    begun: list[str] = []

    async def one(who: str) -> None:
        async with turns.turn(who):
            begun.append(who)
            await may_end.wait()

    pages = [asyncio.create_task(one(who)) for who in ("vera", "vera", "otto")]
    await settle()
    assert begun == ["vera", "otto"]
    may_end.set()
    await asyncio.gather(*pages)
    assert begun == ["vera", "otto", "vera"]


async def test_who_reloads_without_end_gets_a_share_of_the_time_and_others_all_of_theirs() -> None:
    clock = FakeClock()
    turns, made = Turns(clock), 0

    async def reload() -> None:
        nonlocal made
        while True:
            await page(turns, clock, "vera")
            made += 1

    began = clock.monotonic()
    reloading = asyncio.create_task(reload())
    while (passed := clock.monotonic() - began) < 100 * SECOND:
        await clock.advance(SECOND / 4)
    share = (AHEAD + passed) * SHARE / SECOND
    assert 0.9 * share <= made <= share + 1
    await page(turns, clock, "otto")
    assert clock.monotonic() - began < passed + 3 * SECOND
    reloading.cancel()


async def test_who_reads_what_is_shown_never_waits() -> None:
    clock = FakeClock()
    turns = Turns(clock)
    for _ in range(100):
        await asyncio.wait_for(page(turns, clock, "vera", SECOND / 10), 10)
        await clock.advance(SECOND / 2)


async def test_a_page_that_fails_ends_its_turn() -> None:
    turns = Turns(FakeClock())
    with pytest.raises(ZeroDivisionError):
        async with turns.turn("vera"):
            raise ZeroDivisionError
    await page(turns, FakeClock(), "vera")


async def test_only_so_many_pages_of_a_user_wait() -> None:
    turns = Turns(FakeClock())
    async with turns.turn("vera"):
        waiting = [
            asyncio.create_task(page(turns, FakeClock(), "vera")) for _ in range(MOST_WAITING)
        ]
        await settle()
        with pytest.raises(TooManyAtOnce):
            async with turns.turn("vera"):
                raise AssertionError
        waiting.pop().cancel()
        await settle()
        waiting.append(asyncio.create_task(page(turns, FakeClock(), "vera")))
        await settle()
    await asyncio.gather(*waiting)


async def test_memory_of_users_is_bounded() -> None:
    turns = Turns(FakeClock())
    for number in range(1_100):
        async with turns.turn(number):
            pass
    assert len(turns._users) == 1_000
