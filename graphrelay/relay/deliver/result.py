"""What came of an attempt at a message."""

from dataclasses import dataclass

from graphrelay.model import Next, Waiting
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Effect


@dataclass(frozen=True, slots=True)
class Answered:
    """The request of an attempt is over; its outcome is not on the disk yet."""

    effect: Effect
    spent: Spent


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt was made and recorded."""

    next: Next
    besides: tuple[Waiting, ...] = ()
    """What follows from it and waits as well: a report to the sender, or submissions split off."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nothing was recorded; the message keeps its place."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class NotWaiting:
    """It does not wait any more: held, deleted, or lost by the disk. The spool has logged it."""


DeliveryResult = Finished | NotBegun | NotWaiting
