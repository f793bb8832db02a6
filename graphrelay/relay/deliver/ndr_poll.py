"""Exchange's non-delivery reports (NDRs), matched to the messages that they are about.

    Inbox of a mailbox that sent mail ──▶ report ──▶ Message-ID, recipient ──▶ mail log

202 means that Exchange has taken a message. If a recipient does not exist, Exchange sends a report
to the mailbox that sent it. With `bounces = true`, the relay polls the mailboxes that have sent
something lately every few minutes, and the mail log says `bounced`. Nothing is changed in the
mailbox, and each failure is logged once.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.clock import Clock
from graphrelay.graph import inbox
from graphrelay.graph.drafts import MayNotLook
from graphrelay.graph.inbox import FilterRefused, Properties, ReportItem
from graphrelay.graph.session import MailboxSession
from graphrelay.journal import Journal, events
from graphrelay.mime import reading
from graphrelay.model import Delayed, Lane, Paused, StorageUnavailable
from graphrelay.oauth.scenario import Account
from graphrelay.relay.deliver.courier import Graph
from graphrelay.relay.reports import ndr
from graphrelay.relay.reports.ndr import Failure, Ndr
from graphrelay.spool.changes import Changed, NoteNdr
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import LanesUsed, RelayedTo

LOOK_EVERY = timedelta(minutes=5)
LATELY = timedelta(days=2)
"""How long after its last message a mailbox is polled; Exchange tries for a day."""
OVERLAP = timedelta(minutes=10)
"""Reports do not always become visible in order."""
TRIES = 12
"""How often a report that cannot be read is tried, while the mailbox can be, before it is
skipped."""


@dataclass(slots=True)
class _Place:
    """How far a mailbox has been read."""

    since: datetime
    seen: set[str]
    unfiltered: bool = False
    """Whether Exchange refused to filter this mailbox by class."""
    closed: bool = False
    """Whether it is logged that it may not be read."""
    stuck_at: str = ""
    """The report that could not be read."""
    tries: int = 0
    """How often that report was tried."""


class NdrPoll:
    """Lives in one event loop."""

    def __init__(
        self,
        graph: Graph,
        spool: Spool,
        accounts: Callable[[], Collection[Account]],
        clock: Clock,
        journal: Journal,
        page: int = inbox.PAGE,
        read: Callable[[bytes], Ndr | None] = ndr.read,
    ) -> None:
        """`page` is the number of reports in one request, and `read` what understands a report."""
        self._graph = graph
        self._spool = spool
        self._accounts = accounts
        self._clock = clock
        self._journal = journal
        self._page = page
        self._read = read
        self._places: dict[Lane, _Place] = {}

    async def run(self) -> None:
        """Poll every few minutes; never returns."""
        while True:
            await self._clock.sleep(LOOK_EVERY)
            try:
                await self.look()
            except StorageUnavailable as error:
                self._journal.write(events.BouncesNotRead(reason=str(error)))
            except Exception as error:  # an error in the relay, which must not stop the mail
                self._journal.write(events.BouncesBroke(reason=repr(error)))

    async def look(self) -> None:
        """Poll every mailbox that has sent something lately, once."""
        reading = {account.name for account in self._accounts() if account.options.bounces}
        if not reading:
            return
        lately = self._clock.now() - LATELY
        used = await self._spool.read(LanesUsed(lately))
        lanes = [lane for lane in used if lane.account in reading]
        self._places = {
            lane: self._places.get(lane) or _Place(since=lately, seen=set()) for lane in lanes
        }
        for lane, place in self._places.items():
            try:
                await self._look_in(lane, place)
            except StorageUnavailable:
                raise
            except Exception as error:  # an error in the relay, which must not hide other mailboxes
                self._journal.write(events.BouncesBroke(mailbox=lane.mailbox, reason=repr(error)))

    async def _look_in(self, lane: Lane, place: _Place) -> None:
        session = await self._graph.session(lane)
        if isinstance(session, Paused | Delayed):
            return
        since, newest, passed = place.since, place.since, 0
        while True:
            by_class = not place.unfiltered
            found = await inbox.reports(session, since, passed, self._page, by_class=by_class)
            if isinstance(found, FilterRefused):
                place.unfiltered = True
                self._journal.write(
                    events.BouncesNotFiltered(mailbox=lane.mailbox, code=found.code)
                )
                continue
            if not isinstance(found, tuple):
                self._log_not_read(lane, place, found)
                return
            place.closed = False
            for report in found:
                newest = max(newest, report.received_at)
                if not report.is_ndr:
                    continue
                if report.id not in place.seen:
                    why = await self._take(lane, session, report)
                    if why and not self._passes_over(lane, place, report, why):
                        return  # the next poll starts here again
                place.seen.add(report.id)
            if len(found) < self._page:
                break
            # Within one second, reports cannot be distinguished by their time.
            since, passed = newest, passed + self._page if newest == since else 0
        place.since = max(place.since, newest - OVERLAP)

    async def _take(self, lane: Lane, session: MailboxSession, report: ReportItem) -> str:
        """Why it could not be read; empty if it was."""
        found = await inbox.content(session, report)
        if isinstance(found, MayNotLook | Delayed | Paused):
            return _why(found)
        try:
            if isinstance(found, Properties):
                size = len(found.html)
                read = await reading.of(size, ndr.of_properties, found.references, found.html)
            else:
                read = await reading.of(len(found), self._read, found)
        except Exception as error:  # an error in the relay with this one
            return repr(error)
        if read is None:
            self._journal.write(events.BounceNotUnderstood(mailbox=lane.mailbox, report=report.id))
            return ""
        for failure in read.failures:
            await self._note(read, failure, report, lane)
        return ""

    def _passes_over(self, lane: Lane, place: _Place, report: ReportItem, why: str) -> bool:
        """Whether it was tried often enough to be skipped: it must not block those behind it."""
        place.tries = place.tries + 1 if place.stuck_at == report.id else 1
        place.stuck_at = report.id
        if place.tries < TRIES:
            return False
        self._journal.write(
            events.BounceNotRead(mailbox=lane.mailbox, report=report.id, reason=why)
        )
        return True

    async def _note(self, read: Ndr, failure: Failure, report: ReportItem, lane: Lane) -> None:
        reason = f"{failure.recipient}: {failure.reason or failure.status or 'no reason given'}"
        part = await self._spool.read(RelayedTo(tuple(read.message_ids), failure.recipient))
        if part is None:
            return
        note = NoteNdr(part.submission_id, reason, report.received_at)
        if isinstance(await self._spool.change(note), Changed):
            self._journal.write(
                events.Bounced(
                    part.queue_id,
                    failure.recipient,
                    failure.status,
                    failure.reason,
                    lane.mailbox,
                    ndr.REMEDIES.get(failure.status),
                )
            )

    def _log_not_read(self, lane: Lane, place: _Place, why: MayNotLook | Delayed | Paused) -> None:
        """Log it once, until it works again; a delay is not logged."""
        if isinstance(why, Delayed) or place.closed:
            return
        place.closed = True
        self._journal.write(
            events.BouncesNotRead(
                account=lane.account,
                mailbox=lane.mailbox,
                reason=_why(why),
                remedy=f"grant Mail.Read, then graphrelay authorize {lane.account}",
            )
        )


def _why(not_read: MayNotLook | Delayed | Paused) -> str:
    return "the account may not read it" if isinstance(not_read, MayNotLook) else not_read.reason
