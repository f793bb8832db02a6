"""Waiting with a limit, by a clock that the test moves."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from graphrelay.clock import TOLERANCE, SystemClock, timeout
from tests.clock import FakeClock, settle

LIMIT = timedelta(seconds=10)


async def test_a_block_that_ends_in_time_gives_its_result_and_leaves_no_sleeper() -> None:
    clock = FakeClock()
    async with timeout(clock, LIMIT):
        await settle()
        assert clock.sleepers == 1
    assert clock.sleepers == 0


async def test_a_block_is_cancelled_when_the_clock_has_passed_the_limit() -> None:
    clock, seen = FakeClock(), []

    async def waits() -> None:
        try:
            async with timeout(clock, LIMIT):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append(clock.monotonic())

    begun = clock.monotonic()
    waiting = asyncio.create_task(waits())
    await clock.advance(LIMIT - timedelta(microseconds=1))
    assert not seen
    await clock.advance(timedelta(microseconds=1))
    assert seen == [begun + LIMIT]
    await waiting


async def test_a_block_that_is_cancelled_from_outside_has_not_timed_out() -> None:
    clock = FakeClock()

    async def waits() -> None:
        async with timeout(clock, LIMIT):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(waits())
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert clock.sleepers == 0


async def test_a_result_that_comes_together_with_the_end_of_the_limit_disturbs_nobody() -> None:
    clock, done = FakeClock(), asyncio.Event()
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: problems.append(what))

    async def waits() -> None:
        async with timeout(clock, LIMIT):
            await done.wait()

    waiting = asyncio.create_task(waits())
    await settle()
    moving = asyncio.create_task(clock.advance(LIMIT))
    done.set()
    await asyncio.gather(waiting, moving, return_exceptions=True)
    await settle()
    assert not problems


async def test_an_exception_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with timeout(FakeClock(), LIMIT):
            raise ZeroDivisionError


async def test_no_time_at_all_ends_the_first_wait_on_the_clock_of_the_machine() -> None:
    with pytest.raises(TimeoutError):
        async with timeout(SystemClock(), timedelta(0)):
            await asyncio.Event().wait()


def test_the_clock_of_the_machine_says_the_same_in_both_forms() -> None:
    clock = SystemClock()
    before = clock.seconds()
    assert before <= clock.monotonic().total_seconds() <= clock.seconds()
    assert clock.now().tzinfo is not None


def test_the_clock_of_a_machine_that_is_wrong_goes_by_another_one() -> None:
    clock, hour = SystemClock(), timedelta(hours=1)
    assert clock.set(datetime.now(UTC) + timedelta(seconds=1)) is None
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(milliseconds=100)
    ahead = clock.set(datetime.now(UTC) + hour)
    assert ahead is not None
    assert abs(ahead - hour) < TOLERANCE
    assert clock.set(datetime.now(UTC) + hour) is None
    assert abs(clock.now() - datetime.now(UTC) - hour) < TOLERANCE
    assert clock.set(datetime.now(UTC)) == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(milliseconds=100)
