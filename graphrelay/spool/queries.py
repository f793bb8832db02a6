"""Queries to the spool. The type parameter of a query is the type of its answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, Literal, TypeVar

from graphrelay.model import Lane
from graphrelay.spool.values import (
    Backlog,
    Interrupted,
    LaneNote,
    LeftBehind,
    LogRow,
    MessageHistory,
    QueueRow,
    RefusalRow,
    RelayedPart,
    RelayRow,
    Stats,
    Tallied,
    What,
)

T_co = TypeVar("T_co", covariant=True)


class Query(Generic[T_co]):
    """Answered by `Spool.read` with a `T_co`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter(Query[list[QueueRow]]):
    """Everything that is not done, oldest first. A field without a value does not restrict the
    result."""

    state: Literal["queued", "held"] | None = None
    account: str | None = None
    mailbox: str | None = None
    route: str | None = None
    sender: str | None = None
    """An address, or `@domain`; `<>` for the null sender. Compared without regard to case."""
    recipient: str | None = None
    """An address."""
    received_before: datetime | None = None
    after_id: int = 0
    """Only submissions with a greater id: for the page after the one that ended with this row."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Matching(Query[int]):
    """How many submissions a filter selects, whatever its limit and `after_id`."""

    wanted: QueueFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter(Query[list[LogRow]]):
    """The mail log: newest first, or from `after_id`, oldest first."""

    sender: str | None = None
    """As in `QueueFilter`."""
    recipient: str | None = None
    queue_id: str | None = None
    outcome: What | None = None
    subject: str | None = None
    """A part of it; ASCII letters are compared without regard to case."""
    client: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_id: int | None = None
    before_id: int | None = None
    """Only rows with a lesser id: to go on after the last row of the previous page."""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFilter(Query[list[RefusalRow]]):
    """What clients were refused: latest first, or from `after_id` on in the order of the ids."""

    client: str | None = None
    sender: str | None = None
    """As in `QueueFilter`. What a client wrote that is no address is compared as it is."""
    recipient: str | None = None
    reply: str | None = None
    """A part of the reply, such as its code."""
    since: datetime | None = None
    """Refused then or later, at least once."""
    until: datetime | None = None
    """First refused before then."""
    after_id: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class HistoryOf(Query[MessageHistory | None]):
    """Everything that is known about a message, by the queue id of any of its parts."""

    queue_id: str


@dataclass(frozen=True, slots=True)
class Count(Query[Stats]):
    """Totals of the queue."""


HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally(Query[list[Tallied]]):
    """The mail log in figures, for each hour from `since` on."""

    since: datetime
    waits: bool = False
    """Whether it is added up how long mail was under way."""


@dataclass(frozen=True, slots=True)
class Backlogs(Query[list[Backlog]]):
    """How much is queued in each lane."""


@dataclass(frozen=True, slots=True)
class Relays(Query[list[RelayRow]]):
    """The relays that share the queue, oldest first; none where it is one relay's alone."""


@dataclass(frozen=True, slots=True)
class LaneNotes(Query[list[LaneNote]]):
    """What other relays say about the lanes that they send from; it may be some seconds old."""


@dataclass(frozen=True, slots=True)
class InFlight(Query[list[Interrupted]]):
    """Attempts that were begun and not finished; at startup, those of a process that has died."""


@dataclass(frozen=True, slots=True)
class LeftDrafts(Query[list[LeftBehind]]):
    """Drafts that no submission uses any more: of submissions that failed or were deleted, and
    those that a submission abandoned because it was divided or began another draft."""


@dataclass(frozen=True, slots=True)
class LanesUsed(Query[list[Lane]]):
    """The lanes in which something has been relayed since then."""

    since: datetime


@dataclass(frozen=True, slots=True)
class RelayedTo(Query[RelayedPart | None]):
    """The submission to a recipient with one of these Message-IDs; if the address was rewritten on
    the way, the latest submission with such a Message-ID."""

    message_ids: tuple[str, ...]
    recipient: str


@dataclass(frozen=True, slots=True)
class SharesMessageId(Query[bool]):
    """Whether another submission than `besides` has this Message-ID: another part of the message,
    or another message."""

    message_id: str
    besides: int
    """The id of a submission."""
