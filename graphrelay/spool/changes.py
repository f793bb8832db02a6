"""Changes to the queue that are not part of an attempt, and their results."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graphrelay.model import Plan, QueueEntry

# --- By administrators ---------------------------------------------------------------------------
#
# `which` is a queue id or a submission's id. A queue id without a part means every part of the
# message.


@dataclass(frozen=True, slots=True)
class Hold:
    """Do not send it until it is released."""

    which: str | int
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """Queue what was held, due immediately."""

    which: str | int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Make what is queued due immediately."""

    which: str | int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove it from the queue permanently; the mail log keeps its entry and `reason`."""

    which: str | int
    reason: str


# --- What the relay does -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """Replace the plan of a queued submission, which joins the lane of the new plan."""

    submission_id: int
    plan: Plan
    reason: str


@dataclass(frozen=True, slots=True)
class ForgetDraft:
    """The draft with this id is no longer in the mailbox."""

    submission_id: int
    draft: str


@dataclass(frozen=True, slots=True)
class NoteNdr:
    """An NDR arrived for a submission that was relayed."""

    submission_id: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NoteResent:
    """What was sent was accepted once more, as another message."""

    submission_id: int
    reason: str
    at: datetime


Change = Hold | Release | Retry | Delete | Move | ForgetDraft | NoteNdr | NoteResent

# --- What came of it -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """These submissions were changed: with their new state if they are still queued, else as they
    were."""

    submissions: tuple[QueueEntry, ...]


@dataclass(frozen=True, slots=True)
class NotChanged:
    """Nothing was changed."""

    why: Literal["unknown", "in flight", "done", "held", "not held", "known"]
    text: str
    """For people."""


Verdict = Changed | NotChanged
