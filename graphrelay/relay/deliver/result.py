"""What the courier says of an attempt at a message."""

from dataclasses import dataclass

from graphrelay.model import Next, Waiting
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Effect


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt has come to an end, of which the disk does not know yet."""

    effect: Effect
    spent: Spent


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt was made and recorded."""

    next: Next
    besides: tuple[Waiting, ...] = ()
    """What has come of it and waits now: what tells the sender, or pieces split off."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nothing was recorded; the message keeps its place."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Gone:
    """It does not wait any more: held, deleted, or lost by the disk. The spool has told it."""


Carried = Finished | NotBegun | Gone
