"""A jump of the wall clock is noticed, and ordinary drift is not mistaken for one."""

from datetime import timedelta

import pytest

from graphrelay.spool.sqlite.wall_clock import TOLERANCE, WallClock
from tests.clock import FakeClock

HOUR = timedelta(hours=1)


async def test_time_that_passes_is_no_jump(clock: FakeClock) -> None:
    wall = WallClock(clock)
    await clock.advance(24 * HOUR)
    assert wall.jump() is None
    assert wall.before_jump() == clock.now()


@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(days=3650)])
async def test_a_jump_is_measured_against_the_monotonic_clock(
    clock: FakeClock, by: timedelta
) -> None:
    wall = WallClock(clock)
    await clock.advance(HOUR)
    right = clock.now()
    clock.set_wall_clock(right + by)

    assert wall.jump() == by
    assert wall.before_jump() == right


@pytest.mark.parametrize("by", [TOLERANCE, -TOLERANCE])
def test_a_correction_within_the_tolerance_is_no_jump(clock: FakeClock, by: timedelta) -> None:
    wall = WallClock(clock)
    clock.set_wall_clock(clock.now() + by)
    assert wall.jump() is None


def test_a_jump_that_was_followed_is_over(clock: FakeClock) -> None:
    wall = WallClock(clock)
    clock.set_wall_clock(clock.now() + HOUR)
    wall.follow()
    assert wall.jump() is None
