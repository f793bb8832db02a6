"""The contract of the spool: what the relay asks of whoever keeps its mail.

    accept ─▶ queued ─load_to_send─▶ being read ─begin─▶ in flight ─finish─▶ queued, held or done
                │ ▲
           take ▼ └── change (what people do, and what the relay finds out later)

When a call returns, what it did is durable. Every call may raise `StorageUnavailable`: then nothing
of it was done, and it may be made again. A call that has begun is carried out even if its caller is
cancelled; only `accept` is taken back then, since no client has been given a 250.

Mail waits in lanes. The spool never hands out a queue as a whole: its owner asks lane by lane what
is due, a bounded number at a time, and holds nothing else in memory. Whether something is due is
decided by the spool's own clock, on which a jump of the wall clock has no effect.

Every write of an attempt names the `Submission` that `load_to_send` returned. An engine that is
shared by several relays leases lanes to them: it lists only those that it has leased to this relay,
gives the values that it hands out the term of the lease, and refuses (`NotQueued`) what was loaded
in an earlier term.

tests/spool/contract.py holds each engine to this.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from graphrelay.model import (
    Attempt,
    DraftProgress,
    IncomingBody,
    Lane,
    NewMessage,
    NextState,
    QueueEntry,
    Submission,
)
from graphrelay.spool.changes import Change, Verdict
from graphrelay.spool.queries import Query
from graphrelay.spool.values import Batch, Divided, Refusal, Take

T = TypeVar("T")
Report = tuple[NewMessage, IncomingBody]


class Spool(Protocol):
    """The mail that the relay owns. Called from one event loop."""

    # Accepting -------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        """Where the octets of a message go while they come in."""
        ...

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        """Own the message: when this returns, it is durable, whole. Its parts, in order.

        `body` comes from `incoming()`, and must not be used afterwards. Whether this fails or is
        cancelled, nothing is left behind.
        """
        ...

    # The queue -------------------------------------------------------------------------------

    async def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which something is queued, for this relay to send."""
        ...

    async def take(self, wanted: Take) -> Batch:
        """What is due in a lane, up to a limit. It is not marked: `load_to_send` does that."""
        ...

    async def load(self, submission_id: int) -> Submission:
        """A submission that is not done, to look at it.

        Raises `NotQueued` when it is done, `MailLost` when its octets are gone: it is held then.
        """
        ...

    async def load_to_send(self, entry: QueueEntry) -> Submission:
        """Load a submission in order to send it, after a mark on the disk says so.

        Raises `NotQueued` when it does not wait in the entry's lane, `MailLost` when its octets are
        gone, or too many processes have ended between this and `begin`: it is held then.
        """
        ...

    # An attempt ------------------------------------------------------------------------------

    async def begin(
        self, submission: Submission, started_at: datetime, client_request_id: str
    ) -> int:
        """Record that a request may be on its way, before it is. The attempt's number, from 1.

        Raises `NotQueued` when the submission is held, done, in flight or in another lane.
        """
        ...

    async def keep_draft(self, submission: Submission, progress: DraftProgress) -> None:
        """Record how far the draft of the attempt in flight has got.

        Raises `NotQueued` when no attempt is in flight.
        """
        ...

    async def finish(
        self,
        submission: Submission,
        attempt: Attempt,
        following: NextState | Divided,
        report: Report | None = None,
    ) -> tuple[Submission, ...]:
        """Record the outcome and what follows from it, in one transaction. Calling it again for the
        same attempt changes nothing.

        A `report` to the sender is accepted in the same transaction, so that it is sent exactly
        once; its parts are returned. Its body must not be used afterwards, also when this fails.
        When the last part of a message is `Done`, its octets are deleted.

        Raises `NotQueued` when no such attempt was begun.
        """
        ...

    async def merge(
        self, ids: Sequence[int], instead: Report, reason: str
    ) -> tuple[Submission, ...]:
        """Accept one message in place of several that wait and were never tried, in one
        transaction; its parts are returned. Nothing is changed, and nothing returned, where one of
        `ids` does not wait any more. Its body must not be used afterwards, also when this fails.
        """
        ...

    # All else --------------------------------------------------------------------------------

    async def change(self, change: Change) -> Verdict:
        """What a person does to the queue, and what the relay finds out outside of attempts."""
        ...

    async def read(self, query: Query[T]) -> T:
        """The answer to a query; never makes anybody who sends or accepts mail wait."""
        ...

    async def note_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add to the log what clients were refused.

        One that is the same as a row but for its times is added to the row, if that began less than
        `REFUSALS_ADDED_UP` before; the row gets a new id. Of all rows the latest `MOST_REFUSALS`
        are kept.
        """
        ...

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns. Deletes what was done or refused longer than `keep` ago, and tidies up
        when idle. Failures are written to the journal, and it is tried again later."""
        ...
