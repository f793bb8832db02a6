"""What may be changed in the queue outside of attempts, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graphrelay.model import Plan, QueueEntry

# --- What people do ------------------------------------------------------------------------------
#
# `which` is a queue id as people know it, or a submission's id. A queue id without a part means
# every part of the message.


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it from going out until it is released."""

    which: str | int
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let what was held go on, at once."""

    which: str | int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Make what is queued due at once."""

    which: str | int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take it out of the queue for good; the mail log keeps what it was, and `reason`."""

    which: str | int
    reason: str


# --- What the relay does -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """Let what waits go by another plan, whose lane it joins."""

    submission_id: int
    plan: Plan
    reason: str


@dataclass(frozen=True, slots=True)
class ForgetDraft:
    """The draft with this id is not in the mailbox any more."""

    submission_id: int
    draft: str


@dataclass(frozen=True, slots=True)
class NoteNdr:
    """An NDR came back for a submission that was relayed."""

    submission_id: int
    reason: str
    at: datetime


Change = Hold | Release | Retry | Delete | Move | ForgetDraft | NoteNdr

# --- What came of it -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """Done, for these submissions: as they wait now, and where they do not, as they were."""

    submissions: tuple[QueueEntry, ...]


@dataclass(frozen=True, slots=True)
class NotChanged:
    """Nothing was changed."""

    why: Literal["unknown", "in flight", "done", "held", "not held", "known"]
    text: str
    """For people."""


Verdict = Changed | NotChanged
