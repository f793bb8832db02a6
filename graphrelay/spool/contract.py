"""The contract of the spool: what the relay requires of the engine that stores its mail.

    accept ─▶ queued ─load_to_send─▶ being read ─begin─▶ in flight ─finish─▶ queued, held or done
                │ ▲
           take ▼ └── change (what people do, and what the relay finds out later)

When a call returns, its effect is durable; that of `load_to_send` need only survive the process.
Every call may raise `StorageUnavailable`: then it had no effect and may be repeated. A call that
has started is completed even if its caller is cancelled; only `accept` is rolled back in that case,
since no client has received a 250.

Mail is queued in lanes. The spool never returns a whole queue: the queue manager asks lane by lane
what is due, a bounded number at a time, and keeps nothing else in memory. Whether something is due
is decided by the spool's own clock, which a jump of the wall clock does not affect.

Every write of an attempt names the `Submission` that `load_to_send` returned. An engine that
several relays share leases lanes to them: it lists only the lanes leased to this relay, marks each
value that it returns with the term of the lease, and refuses (`NotQueued`) writes for what was
loaded in an earlier term.

tests/spool/contract.py tests each engine against this.
"""

from collections.abc import Iterable, Sequence
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
from graphrelay.spool.values import Batch, Divided, LaneNote, Refusal, Take

T = TypeVar("T")
Report = tuple[NewMessage, IncomingBody]


class LaneWatcher(Protocol):
    """Hears of lanes, in the event loop."""

    def gained(self, lane: Lane) -> None:
        """It is leased to this relay from now on."""
        ...

    def lost(self, lane: Lane) -> None:
        """It is another's to send from now on. What is in flight may be finished."""
        ...

    def changed(self, lane: Lane) -> None:
        """Mail may wait in it of which only the spool knows."""
        ...

    def probe(self, lane: Lane) -> None:
        """Somebody asked another relay to try its mail at once."""
        ...

    def notes(self) -> Iterable[LaneNote]:
        """What people who ask another relay see of the lanes of this one. An engine that is not
        shared never asks."""
        ...


class Spool(Protocol):
    """The mail that the relay is responsible for. Called from one event loop."""

    # Sharing -------------------------------------------------------------------------------------

    def watch(self, watcher: LaneWatcher) -> None:
        """Tell `watcher` of lanes. An engine that is not shared has nothing to tell."""
        ...

    def sends(self, lane: Lane) -> bool:
        """Whether mail of the lane is for this relay to send."""
        ...

    async def retire(self) -> None:
        """Lease no more lanes, and leave each one as soon as nothing is in flight there: this relay
        is going to stop."""
        ...

    # Accepting -----------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        """Takes the octets of a message while they arrive."""
        ...

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        """Take responsibility for the message: when this returns, all of it is durable. Returns its
        parts in order.

        `body` comes from `incoming()`, and must not be used afterwards. If this fails or is
        cancelled, nothing is left behind.
        """
        ...

    # The queue -----------------------------------------------------------------------------------

    async def lanes(self) -> tuple[Lane, ...]:
        """The lanes with queued mail that this relay is to send."""
        ...

    async def take(self, wanted: Take) -> Batch:
        """What is due in a lane, up to a limit. Nothing is marked: `load_to_send` does that."""
        ...

    async def load(self, submission_id: int, *, kept: bool = False) -> Submission:
        """A submission that is not done, for reading only; with `kept` also one that is done, as
        long as its octets are kept.

        Raises `NotQueued` if there is no such submission, and `MailLost` if its octets are
        gone; it is then held.
        """
        ...

    async def load_to_send(self, entry: QueueEntry) -> Submission:
        """Load a submission in order to send it, after this has been recorded so that it survives
        this process.

        Raises `NotQueued` if it is not queued in the entry's lane, and `MailLost` if its octets are
        gone or too many processes have died between this call and `begin`; it is then held.
        """
        ...

    # An attempt ----------------------------------------------------------------------------------

    async def begin(
        self, submission: Submission, started_at: datetime, client_request_id: str
    ) -> int:
        """Record that a request may have been sent, before it is. Returns the attempt's number,
        from 1.

        Raises `NotQueued` if the submission is held, done, in flight or in another lane, or was
        tried since it was loaded.
        """
        ...

    async def keep_draft(self, submission: Submission, progress: DraftProgress) -> None:
        """Record the progress of the draft of the attempt in flight.

        Raises `NotQueued` if no attempt is in flight.
        """
        ...

    async def finish(
        self,
        submission: Submission,
        attempt: Attempt,
        following: NextState | Divided,
        report: Report | None = None,
    ) -> tuple[Submission, ...]:
        """Record the outcome and the next state in one transaction. Repeating the call for the same
        attempt changes nothing.

        A `report` to the sender is accepted in the same transaction, so that it is sent exactly
        once; its parts are returned. Its body must not be used afterwards, even if this fails. When
        the last part of a message is `Done`, its octets are deleted, at once or after the time for
        which the engine keeps them (`log.keep_messages`).

        Raises `NotQueued` if no such attempt was begun.
        """
        ...

    async def merge(
        self, ids: Sequence[int], instead: Report, reason: str
    ) -> tuple[Submission, ...]:
        """Accept one message in place of several queued ones that were never tried, in one
        transaction; its parts are returned. If one of `ids` is no longer queued, nothing is changed
        and nothing returned. Its body must not be used afterwards, even if this fails.
        """
        ...

    # Everything else -----------------------------------------------------------------------------

    async def change(self, change: Change) -> Verdict:
        """Apply a change by an administrator, or one that the relay makes outside of attempts."""
        ...

    async def read(self, query: Query[T]) -> T:
        """The answer to a query. Never delays sending or accepting mail."""
        ...

    async def note_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Add to the log what clients were refused.

        One that is the same as a row but for its times is added to the row, if that began less than
        `REFUSALS_ADDED_UP` before; the row gets a new id. Of all rows the latest `MOST_REFUSALS`
        are kept.
        """
        ...

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns. Deletes what was done or refused longer than `keep` ago, and returns free
        space when idle. Failures are written to the journal and retried later."""
        ...
