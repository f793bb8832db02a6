"""The consequences of an attempt's outcome, for the message and for its lane. Pure.

    Relayed     done                                       the lane flows
    Failed      done, failed; or divided, where one of     the lane flows (it was an answer)
                its recipients may be the reason
    Delayed     tried again, or given up after `lifetime`  the lane goes slower
    Uncertain   settled before it is tried again, or       the lane goes slower
                what `on_uncertain` says
    Paused      keeps its place                            the lane stops

A message is given up by age alone, never because its lane is paused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.model import (
    Delayed,
    Done,
    Failed,
    Held,
    NextState,
    Outcome,
    Paused,
    Queued,
    Relayed,
    Submission,
    Uncertain,
)
from graphrelay.relay.policy import divide
from graphrelay.relay.policy.divide import Recipients
from graphrelay.relay.policy.schedule import DeliveryPolicy, next_attempt

EXPIRED = "5.4.7"  # RFC 3463 section 3.5: delivery time expired
SETTLE_AFTER = timedelta(minutes=2)
"""How long Exchange is given to show a sent message in the mailbox."""
LOOK_AGAIN_AFTER = timedelta(minutes=5)
"""How much longer it is given if it showed nothing."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Graph answered: the lane may send more at a time."""


@dataclass(frozen=True, slots=True)
class Slower:
    """The lane waits, at least for `retry_after`, and then sends less at a time."""

    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stops:
    """Nothing in this lane can be sent."""

    paused: Paused


Feedback = Flows | Slower | Stops


@dataclass(frozen=True, slots=True)
class Decision:
    """`failed` is the failure to report if `next` gives the message up; `pieces` are the recipients
    of the submissions into which it is divided, the first of which keeps its place."""

    next: NextState
    feedback: Feedback
    failed: Failed | None = None
    pieces: tuple[Recipients, ...] = ()


def decide(
    outcome: Outcome,
    submission: Submission,
    attempts: int,
    policy: DeliveryPolicy,
    now: datetime,
    jitter: float,
    *,
    settles: bool = False,
) -> Decision:
    """The decision after attempt number `attempts` at `submission` ended in `outcome`.

    `settles`: whether the next attempt can find out whether the message was sent before it sends
    anything.
    """
    match outcome:
        case Relayed():
            return Decision(Done("relayed"), Flows())
        case Failed() if pieces := divide.pieces(outcome, submission):
            return Decision(Queued(now), Flows(), pieces=pieces)
        case Failed():
            return Decision(Done("failed", outcome.reason), Flows(), outcome)
        case Paused():
            return Decision(Queued(now), Stops(outcome))
        case Uncertain() if policy.on_uncertain == "hold" and not settles:
            return Decision(Held(_held_reason(outcome)), _feedback(outcome))
        case Delayed() | Uncertain():
            when = next_attempt(
                attempts, submission.received_at, now, policy, jitter, outcome.retry_after
            )
            if when is not None and settles and isinstance(outcome, Uncertain):
                when = max(when, now + (LOOK_AGAIN_AFTER if outcome.looked else SETTLE_AFTER))
            if when is not None:
                return Decision(Queued(when), _feedback(outcome))
            expired = _expired(outcome, policy)
            return Decision(Done("failed", expired.reason), _feedback(outcome), expired)


def _feedback(outcome: Delayed | Uncertain) -> Feedback:
    if isinstance(outcome, Uncertain) and outcome.looked:
        return Flows()
    return Slower(outcome.reason, outcome.retry_after)


def _held_reason(outcome: Uncertain) -> str:
    return (
        f"It may have been sent already: {outcome.reason}. Look into Sent Items of the mailbox,"
        " then release or delete it."
    )


def _expired(outcome: Delayed | Uncertain, policy: DeliveryPolicy) -> Failed:
    doubt = " It may have been sent." if isinstance(outcome, Uncertain) else ""
    reason = f"Given up after {in_words(policy.lifetime)}. The last time: {outcome.reason}.{doubt}"
    return Failed(status=EXPIRED, reason=reason, answer=outcome.answer)


def in_words(duration: timedelta) -> str:
    """Such as `5 days`, `90 minutes`, `30 seconds`."""
    seconds = round(duration.total_seconds())
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}" + ("s" if seconds > size else "")
    return "1 second" if seconds == 1 else f"{seconds} seconds"
