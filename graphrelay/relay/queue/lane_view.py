"""A lane as shown by `graphrelay lanes` and in JSON, and the note about it for other relays.

Relays of two releases may read each other's notes: fields are only added, and each has a default.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.clock import Clock
from graphrelay.model import Lane
from graphrelay.relay.policy.budget import Limit, Use, in_words
from graphrelay.relay.queue.lane import LaneQueue, Open, Resting, Stopped
from graphrelay.spool.values import Backlog, LaneNote


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
    host: str = ""
    """The other relay that sends from it."""


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


def note_of(shown: LaneView) -> LaneNote:
    """For `noted` at another relay, which knows the backlog itself."""
    note = {
        "state": shown.state,
        "reason": shown.reason,
        "remedy": shown.remedy,
        "in_flight": shown.in_flight,
        "allowed": shown.allowed,
        "budgets": [
            {
                "what": use.limit.what,
                "most": use.limit.most,
                "window": use.limit.window.total_seconds(),
                "used": use.used,
                "exhausted_in": use.exhausted_in and use.exhausted_in.total_seconds(),
            }
            for use in shown.budgets
        ],
    }
    return LaneNote(lane=shown.lane, text=json.dumps(note), wakes_at=shown.until)


def noted(note: LaneNote, backlog: Backlog | None) -> LaneView:
    """The lane as the relay that sends from it said last."""
    said = json.loads(note.text)
    return LaneView(
        lane=note.lane,
        state=said.get("state", "open"),
        reason=said.get("reason", ""),
        remedy=said.get("remedy", ""),
        until=note.wakes_at,
        waiting=backlog.waiting if backlog else 0,
        in_flight=said.get("in_flight", 0),
        allowed=said.get("allowed", 0),
        oldest=backlog.oldest if backlog else None,
        budgets=tuple(
            Use(
                Limit(use["what"], use["most"], timedelta(seconds=use["window"])),
                use["used"],
                None if use["exhausted_in"] is None else timedelta(seconds=use["exhausted_in"]),
            )
            for use in said.get("budgets", ())
        ),
        host=note.host,
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
