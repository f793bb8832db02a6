"""Waits follow the database's clock, whatever the host's clock shows."""

from datetime import timedelta

from graphrelay.clock import TOLERANCE, SystemClock
from graphrelay.journal import Entry, Journal
from graphrelay.spool.codec import microseconds
from graphrelay.spool.postgres.database_clock import DatabaseClock
from tests.clock import FakeClock

MINUTE = timedelta(minutes=1)


async def test_a_wait_is_as_long_there_as_it_is_here() -> None:
    here = FakeClock()
    there = DatabaseClock(here, Journal(here))
    there.follow(5_000_000)
    assert there.theirs(here.now() + MINUTE) == 65_000_000
    assert there.ours(65_000_000) == here.now() + MINUTE
    await here.advance(MINUTE)
    assert there.now() == 65_000_000
    assert there.ours(65_000_000) == here.now()


def test_a_jump_of_the_wall_clock_moves_the_moment_and_not_the_wait() -> None:
    here = FakeClock()
    there = DatabaseClock(here, Journal(here))
    there.follow(0)
    due = there.theirs(here.now() + MINUTE)
    here.set_wall_clock(here.now() + timedelta(days=400))
    assert there.ours(due) == here.now() + MINUTE


def test_a_machine_with_another_time_goes_by_the_databases_and_says_so() -> None:
    here, entries = SystemClock(), list[Entry]()
    there = DatabaseClock(here, Journal(here, entries.append))
    their_time = here.now() - timedelta(hours=1)
    for _ in "ab":
        there.follow(microseconds(their_time))
    assert abs(here.now() - their_time) < TOLERANCE
    assert [entry.event for entry in entries] == ["clock-set"]


async def test_an_answer_that_was_seen_late_says_nothing_of_the_time() -> None:
    here = FakeClock()
    there = DatabaseClock(here, Journal(here))
    there.follow(5_000_000)
    asked_at = here.monotonic()
    await here.advance(MINUTE)
    there.follow(5_500_000, asked_at)
    assert there.now() == 65_000_000
    there.follow(66_000_000, here.monotonic())
    assert there.now() == 66_000_000
