"""The results of an attempt."""

from dataclasses import dataclass

from graphrelay.model import NextState, QueueEntry
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Feedback
from graphrelay.spool.values import Divided


@dataclass(frozen=True, slots=True)
class Answered:
    """The request of an attempt has ended; its outcome is not on disk yet."""

    feedback: Feedback
    spent: Spent


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt was made and recorded."""

    next: NextState | Divided
    besides: tuple[QueueEntry, ...] = ()
    """The report about it, which is queued."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nothing was recorded; the message keeps its place."""

    feedback: Feedback


@dataclass(frozen=True, slots=True)
class NotWaiting:
    """It is no longer queued in this lane: held, deleted, moved, or its octets are lost. The spool
    has logged it."""


DeliveryResult = Finished | NotBegun | NotWaiting
