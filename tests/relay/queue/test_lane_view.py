"""What people are shown of a lane."""

from dataclasses import replace
from datetime import timedelta

from graphrelay.model import Lane, QueueEntry
from graphrelay.relay.policy.budget import Limit, Spent
from graphrelay.relay.policy.decision import Slower, Stops
from graphrelay.relay.queue.lane import LaneQueue
from graphrelay.relay.queue.lane_view import view
from graphrelay.spool.values import Backlog
from tests.clock import FakeClock
from tests.relay.delivery import FULL, LANE

MINUTE = timedelta(minutes=1)


def queue_of(clock: FakeClock, *limits: Limit) -> LaneQueue:
    queue = LaneQueue(LANE, 4, limits)
    for number, age in ((1, 3), (2, 9), (3, 1)):
        waiting = QueueEntry(number, LANE, clock.now() - age * MINUTE, clock.now())
        queue.add(waiting)
    return queue


def test_an_open_lane_shows_what_waits_and_since_when() -> None:
    clock = FakeClock()
    queue = queue_of(clock)
    queue.take(clock.monotonic())
    seen = view(queue, Backlog(LANE, 3, clock.now() - 9 * MINUTE), clock)
    assert (seen.lane, seen.state, seen.until) == (LANE, "open", None)
    assert (seen.waiting, seen.in_flight, seen.allowed) == (3, 1, 4)
    assert seen.oldest == clock.now() - 9 * MINUTE


def test_an_empty_lane_has_no_oldest() -> None:
    assert view(LaneQueue(Lane("a", "b"), 4), None, FakeClock()).oldest is None


def test_trouble_says_why_until_when_and_what_to_do() -> None:
    clock = FakeClock()
    queue = queue_of(clock)
    queue.apply(Slower("Exchange is busy", MINUTE), clock.monotonic())
    seen = view(queue, None, clock)
    assert (seen.state, seen.reason, seen.until) == (
        "resting",
        "Exchange is busy",
        clock.now() + MINUTE,
    )
    paused = replace(FULL, remedy="make room", retry_after=2 * MINUTE)
    queue.apply(Stops(paused), clock.monotonic())
    seen = view(queue, None, clock)
    assert (seen.state, seen.reason, seen.remedy) == ("quota", FULL.reason, "make room")
    assert seen.until == clock.now() + 2 * MINUTE


def test_a_budget_that_is_used_up_is_a_state_of_its_own() -> None:
    clock = FakeClock()
    queue = queue_of(clock, Limit("messages", 1, MINUTE))
    queue.budget.spend(Spent(messages=1), clock.monotonic())
    seen = view(queue, None, clock)
    assert (seen.state, seen.reason) == ("budget", "1 messages in a minute are used up")
    assert seen.until is not None
    assert seen.until > clock.now()
