"""A lane as shown by `graphrelay lanes` and in JSON."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.clock import Clock
from graphrelay.model import Lane
from graphrelay.relay.policy.budget import Use, in_words
from graphrelay.relay.queue.lane import LaneQueue, Open, Resting, Stopped
from graphrelay.spool.values import Backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    lane: Lane
    state: str
    """`open`, `resting`, `budget`, or a trouble: `authorization`, `quota`, `blocked`."""
    reason: str
    remedy: str
    until: datetime | None
    """When the lane tries again by itself."""
    waiting: int
    """Including those in flight."""
    in_flight: int
    allowed: int
    """Requests allowed at a time at present."""
    oldest: datetime | None
    """When the oldest queued message was received."""
    budgets: tuple[Use, ...]


def empty(lane: Lane) -> LaneView:
    """A lane without mail."""
    return LaneView(
        lane=lane,
        state="open",
        reason="",
        remedy="",
        until=None,
        waiting=0,
        in_flight=0,
        allowed=0,
        oldest=None,
        budgets=(),
    )


def view(queue: LaneQueue, backlog: Backlog | None, clock: Clock) -> LaneView:
    """The lane at present; without a `backlog` nothing is queued."""
    now = clock.monotonic()
    state, reason, remedy, until = _state(queue, now)
    return LaneView(
        lane=queue.lane,
        state=state,
        reason=reason,
        remedy=remedy,
        until=clock.now() + (until - now) if until is not None else None,
        waiting=backlog.waiting if backlog else 0,
        in_flight=queue.in_flight,
        allowed=queue.allowed,
        oldest=backlog.oldest if backlog else None,
        budgets=queue.budget.uses(now),
    )


def _state(queue: LaneQueue, now: timedelta) -> tuple[str, str, str, timedelta | None]:
    match queue.state:
        case Open() if exhausted := queue.budget.exhausted(now):
            return "budget", in_words(exhausted), "", queue.budget.free_at(now)
        case Open():
            return "open", "", "", None
        case Resting(reason, until):
            return "resting", reason, "", until
        case Stopped(paused, until):
            return paused.trouble.value, paused.reason, paused.remedy, until
