"""What people are shown of a lane."""

from dataclasses import replace
from datetime import timedelta

from graphrelay.model import Lane, QueueEntry
from graphrelay.relay.policy.budget import Limit, Spent
from graphrelay.relay.policy.decision import Slower, Stops
from graphrelay.relay.queue.lane import LaneQueue
from graphrelay.relay.queue.lane_view import note_of, noted, view
from graphrelay.spool.values import Backlog, LaneNote
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


def test_another_relay_shows_a_lane_as_its_owner_does() -> None:
    clock = FakeClock()
    queue = queue_of(clock, Limit("messages", 4, MINUTE), Limit("octets", 9, MINUTE))
    queue.budget.spend(Spent(messages=3), clock.monotonic())
    queue.take(clock.monotonic())
    queue.apply(Stops(replace(FULL, remedy="make room")), clock.monotonic())
    backlog = Backlog(LANE, 3, clock.now() - 9 * MINUTE)
    own = view(queue, backlog, clock)
    assert own.budgets[0].exhausted_in
    note = replace(note_of(own), host="mail1")
    assert noted(note, backlog) == replace(own, host="mail1")
    assert noted(note, None).waiting == 0


def test_a_note_of_another_release_may_lack_fields_and_have_more() -> None:
    note = LaneNote(lane=LANE, text='{"state": "open", "later": 1}', wakes_at=None, host="mail1")
    seen = noted(note, None)
    assert (seen.state, seen.in_flight, seen.budgets) == ("open", 0, ())
