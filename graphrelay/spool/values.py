"""What is asked of the spool and what it answers: what is due, the queue, and the mail log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from graphrelay.model import (
    Address,
    Attempt,
    Done,
    DraftProgress,
    Held,
    Lane,
    NextState,
    Origin,
    Outcome,
    Plan,
    Queued,
    QueueEntry,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt that was begun and never finished: the process died while it was on its way."""

    submission_id: int
    queue_id: str
    number: int
    started_at: datetime
    client_request_id: str


# --- What is due ---------------------------------------------------------------------------------

LARGE = 1024 * 1024
"""Octets from which on a message may keep its connection busy for a while. Large messages take
turns of their own."""


Turns = Mapping[tuple[str, ...], str]
"""Whose turn was last: under () the login, under (login,) its client, under (login, client) the
sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Ask a lane what is due.

    Logins take turns, then the clients of a login, then the senders of a client, each in the order
    of their names and beginning with the one after the last; of a sender the oldest goes first.
    """

    lane: Lane
    limit: int
    """Of small messages, and the same again of large ones."""
    after_small: Turns = field(default_factory=dict)
    after_large: Turns = field(default_factory=dict)
    besides: frozenset[int] = frozenset()
    """Submissions that the queue has already."""
    longest_wait: timedelta
    """What is due later than this has another clock behind it, and is due now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is due in a lane."""

    entries: tuple[QueueEntry, ...]
    more_small: bool
    """Whether small messages are due besides these."""
    more_large: bool
    next_in: timedelta | None
    """When the next one will be due; `None` where nothing waits besides, or more is due now."""


@dataclass(frozen=True, slots=True)
class Divided:
    """What follows an attempt: several submissions in place of the one, due at `not_before`.

    It keeps the first of `pieces`; together these are its recipients.
    """

    not_before: datetime
    pieces: tuple[tuple[Address, ...], ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a lane, with what is in flight."""

    lane: Lane
    waiting: int
    oldest: datetime
    """When the oldest was received."""


# --- The queue -----------------------------------------------------------------------------------


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
    state: NextState
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
class Tallied:
    """How often something was logged in an interval."""

    start: datetime
    what: What
    count: int
    waited: timedelta
    """From reception to that, for all of them together; zero where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """What happened to a submission between attempts: changed by an admin, divided, moved."""

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


@dataclass(frozen=True, slots=True)
class RelayedPart:
    """A submission that was relayed."""

    submission_id: int
    queue_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHistory:
    """One submission of a message, from its plan to what came of it."""

    submission_id: int
    queue_id: str
    recipients: tuple[Address, ...]
    plan: Plan
    state: NextState
    done_at: datetime | None
    in_flight: Interrupted | None
    """The attempt that is on its way."""
    history: tuple[Attempt | HistoryEvent, ...]
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


def state_of(state: State, not_before: datetime | None, reason: str) -> NextState:
    """From the columns of `submissions` to the type."""
    match state:
        case "queued":
            assert not_before is not None  # noqa: S101 (a constraint of the table)
            return Queued(not_before)
        case "held":
            return Held(reason)
        case "relayed" | "failed" | "deleted":
            return Done(state, reason)
