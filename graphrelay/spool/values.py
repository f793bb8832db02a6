"""Values that the spool takes and returns: what is due, the queue, and the mail log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from graphrelay.durations import Durations
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
    """An attempt that was begun and never finished: the process died in between."""

    submission_id: int
    queue_id: str
    number: int
    started_at: datetime
    client_request_id: str
    lane: Lane
    settle_in: timedelta = timedelta(0)
    """How long its request may still go on, where the process may be alive."""


# --- What is due ---------------------------------------------------------------------------------

LARGE = 1024 * 1024
"""The size in octets from which a message may occupy its connection for a while. Large messages
take turns separately."""


Turns = Mapping[tuple[str, ...], str]
"""Whose turn was last: under () the login, under (login,) its client, under (login, client) the
sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Asks what is due in a lane.

    Logins take turns, then the clients of a login, then the senders of a client, each in the order
    of their names, beginning after the one whose turn was last; of one sender, the oldest message
    goes first.
    """

    lane: Lane
    limit: int
    """The number of small messages, and also of large ones."""
    after_small: Turns = field(default_factory=dict)
    after_large: Turns = field(default_factory=dict)
    besides: frozenset[int] = frozenset()
    """Submissions that the caller already has."""
    longest_wait: timedelta
    """A time beyond this was written by a wrong clock; the message is due now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is due in a lane."""

    entries: tuple[QueueEntry, ...]
    more_small: bool
    """Whether more small messages are due."""
    more_large: bool
    next_in: timedelta | None
    """When the next one will be due; `None` if nothing else is queued, or more is due now."""


@dataclass(frozen=True, slots=True)
class Divided:
    """The result of an attempt: several submissions in place of one, due at `not_before`.

    The submission keeps the first of `pieces`, which together are its recipients.
    """

    not_before: datetime
    pieces: tuple[tuple[Address, ...], ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is queued in a lane, including what is in flight."""

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
    "resent",
]
OUTCOMES: tuple[What, ...] = get_args(What)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One result for a submission: the outcome of an attempt, or an administrator's action."""

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
    octets_kept: bool
    """Whether the message can still be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """How often something was logged in an hour."""

    start: datetime
    what: What
    count: int
    waited: timedelta
    """From reception to that, for all of them together; zero where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a client was refused before there was a message, and how often in a while."""

    since: datetime
    """The first time."""
    at: datetime
    """The last time."""
    times: int
    client: str
    listener: str
    stage: str
    """CONNECT, AUTH, MAIL, RCPT, DATA …"""
    reply: str
    """The reply to the client."""
    reason: str = ""
    login: str = ""
    sender: str = ""
    """As the client wrote it, so it need not be an address."""
    recipient: str = ""


REFUSALS_ADDED_UP = timedelta(hours=1)
"""Refusals that are the same but for their times are one row of the log for so long."""
MOST_REFUSALS = 10_000
"""Rows; before there are more, the oldest are deleted, so that nobody fills the disk with them."""


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A row of the log of refusals."""

    id: int
    """A greater one each time that the row is counted up."""
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """Something that happened to a submission between attempts: changed by an administrator,
    divided, moved."""

    at: datetime
    what: What
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A draft in a mailbox that is no longer used: its submission was given up, or abandoned it."""

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
    """One submission of a message, from its plan to its result."""

    submission_id: int
    queue_id: str
    recipients: tuple[Address, ...]
    plan: Plan
    state: NextState
    done_at: datetime | None
    in_flight: Interrupted | None
    """The attempt in flight."""
    history: tuple[Attempt | HistoryEvent, ...]
    draft: DraftProgress | None = None
    """Its draft in the mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHistory:
    """Everything that is known about a message."""

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
class LaneNote:
    """What the relay that sends from a lane says about it."""

    lane: Lane
    text: str
    """In the relay's own form."""
    wakes_at: datetime | None
    host: str = ""
    """Of that relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Totals of the queue."""

    queued: int
    held: int
    in_flight: int
    octets: int
    """Of all messages that are not done."""
    oldest: datetime | None
    """When the oldest queued submission was received."""
    database: int
    """Size of the database and its WAL in octets."""
    free: int | None
    """Octets free on the disk; `None` if the disk is another machine's."""
    commit: Durations | None = field(default=None, compare=False)
    """Of this relay's commits since it started."""
    fsync: Durations | None = field(default=None, compare=False)
    """Of the files of large messages; `None` where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRow:
    """A relay that shares the queue."""

    host: str
    version: str
    started_at: datetime
    lanes: int
    """Leased to it."""
    with_mail: int
    """Of these, the lanes in which mail is queued."""
    expires_in: timedelta
    """Until others may take it for dead, unless it renews its lease. Negative: it is overdue."""
    leaving: bool


State = Literal["queued", "held", "relayed", "failed", "deleted"]


def state_of(state: State, not_before: datetime | None, reason: str) -> NextState:
    """The state that the columns of `submissions` represent."""
    match state:
        case "queued":
            assert not_before is not None  # noqa: S101 (a constraint of the table)
            return Queued(not_before)
        case "held":
            return Held(reason)
        case "relayed" | "failed" | "deleted":
            return Done(state, reason)
