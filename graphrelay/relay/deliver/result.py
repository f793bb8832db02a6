"""What came of an attempt at a message."""

from dataclasses import dataclass

from graphrelay.model import NextState, QueueEntry
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Feedback
from graphrelay.spool.values import Divided


@dataclass(frozen=True, slots=True)
class Answered:
    """The request of an attempt is over; its outcome is not on the disk yet."""

    feedback: Feedback
    spent: Spent


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt was made and recorded."""

    next: NextState | Divided
    besides: tuple[QueueEntry, ...] = ()
    """The report about it, which waits to be sent."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nothing was recorded; the message keeps its place."""

    feedback: Feedback


@dataclass(frozen=True, slots=True)
class NotWaiting:
    """It does not wait in this lane any more: held, deleted, moved, or lost by the disk. The spool
    has logged it."""


DeliveryResult = Finished | NotBegun | NotWaiting
