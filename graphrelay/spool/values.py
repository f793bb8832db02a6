"""What the spool answers: rows of the queue and of the mail log, and what came of a verb."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from graphrelay.model import (
    Address,
    Attempt,
    Done,
    DraftProgress,
    Held,
    Lane,
    Next,
    Origin,
    Outcome,
    Plan,
    Queued,
    Waiting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt that was begun and never finished: the process died while it was on its way."""

    submission_id: int
    queue_id: str
    number: int
    started_at: datetime
    client_request_id: str


# --- Verbs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """Done, for these submissions (as they are now; for `delete`, as they were)."""

    submissions: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed."""

    why: Literal["unknown", "in flight", "done", "held", "not held"]
    text: str
    """For people."""


Verdict = Changed | Refused


# --- The queue -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which part of the queue; what is not given does not matter. Lists oldest first."""

    state: Literal["queued", "held"] | None = None
    account: str | None = None
    mailbox: str | None = None
    route: str | None = None
    sender: str | None = None
    """An address, or `@domain`; `<>` for the null sender. In any letter case."""
    recipient: str | None = None
    """An address."""
    received_before: datetime | None = None
    after_id: int = 0
    """Only submissions with a greater id: to go on after the last row of the page before."""
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One submission that is not done."""

    submission_id: int
    queue_id: str
    received_at: datetime
    sender: Address | None
    recipients: tuple[Address, ...]
    size: int
    subject: str
    lane: Lane
    route: str
    state: Next
    """`Queued` or `Held`."""
    attempts: int
    in_flight_since: datetime | None
    last: str
    """The reason of the last attempt's outcome, empty before the first."""


# --- The mail log --------------------------------------------------------------------------------

What = Literal[
    "relayed",
    "delayed",
    "failed",
    "uncertain",
    "paused",
    "held",
    "released",
    "retried",
    "deleted",
    "divided",
    "moved",
    "bounced",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which part of the mail log. With `after_id` oldest first from there, else newest first."""

    sender: str | None = None
    """As in QueueFilter."""
    recipient: str | None = None
    queue_id: str | None = None
    outcome: What | None = None
    client: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_id: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One thing that came of a submission: an attempt's outcome, or what a person did."""

    id: int
    at: datetime
    queue_id: str
    submission_id: int
    what: What
    reason: str
    sender: Address | None
    recipients: tuple[Address, ...]
    size: int
    subject: str
    client: str
    lane: Lane
    number: int | None
    """Of the attempt."""
    started_at: datetime | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a person did to a submission."""

    at: datetime
    what: What
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A draft in a mailbox that nobody goes on with: its submission was given up, or left it."""

    submission_id: int
    queue_id: str
    lane: Lane
    draft: str
    """Its immutable id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHistory:
    """One submission of a message, from its plan to what came of it."""

    submission_id: int
    queue_id: str
    recipients: tuple[Address, ...]
    plan: Plan
    state: Next
    done_at: datetime | None
    in_flight: Interrupted | None
    """The attempt that is on its way."""
    history: tuple[Attempt | Event, ...]
    draft: DraftProgress | None = None
    """What lies in Drafts of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHistory:
    """All that is known of a message."""

    queue_id: str
    received_at: datetime
    sender: Address | None
    origin: Origin
    message_id: str
    subject: str
    size: int
    octets_kept: bool
    """False once every part is done."""
    parts: tuple[PartHistory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The queue in figures."""

    queued: int
    held: int
    in_flight: int
    octets: int
    """Of all messages that are not done."""
    oldest: datetime | None
    """When the oldest submission that is queued was received."""
    database: int
    """Size of the database and its WAL in octets."""
    free: int
    """Octets left on the disk."""


State = Literal["queued", "held", "relayed", "failed", "deleted"]


def state_of(state: State, not_before: datetime | None, reason: str) -> Next:
    """From the columns of `submissions` to the type."""
    match state:
        case "queued":
            assert not_before is not None  # noqa: S101 (a constraint of the table)
            return Queued(not_before)
        case "held":
            return Held(reason)
        case "relayed" | "failed" | "deleted":
            return Done(state, reason)
