"""What the courier reads of a message, and what it says of an attempt at it."""

from dataclasses import dataclass

from graphrelay.model import Next, Submission, Waiting
from graphrelay.relay.deliver.dispatcher import Prepared
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Effect

# --- What came of it ------------------------------------------------------------------------------


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


# --- What is read ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """All that can be known of an attempt before it is begun. `way` is `None` where composing
    failed: that is for the attempt to find out, which then has an outcome."""

    submission: Submission
    way: Prepared | None
