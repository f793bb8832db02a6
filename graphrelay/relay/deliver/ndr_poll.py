"""What Exchange finds out later: its non-delivery reports, matched to the mail that they are about.

    Inbox of a mailbox that mail went out by ──▶ report ──▶ Message-ID, recipient ──▶ mail log

202 says that Exchange took a message. That a recipient does not exist it says by a report into the
mailbox that sent it. Accounts that are set up for it (`bounces = true`) look there every few
minutes, at the mailboxes that have sent something lately, and the mail log says `bounced`. Nothing
is changed in the mailbox, and what was noted once is not noted again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import uuid4

from graphrelay.clock import Clock
from graphrelay.graph import inbox
from graphrelay.graph.client import OWN_MAILBOX, mailbox_path
from graphrelay.graph.drafts import MayNotLook
from graphrelay.graph.inbox import Found
from graphrelay.journal import Journal
from graphrelay.mime import reading
from graphrelay.model import Delayed, Lane, Paused, StorageUnavailable
from graphrelay.oauth.answers import Granted
from graphrelay.oauth.scenario import Account
from graphrelay.relay.deliver.bearer import Bearer, Tokens
from graphrelay.relay.reports import ndr
from graphrelay.relay.reports.ndr import Bounce, Failure
from graphrelay.spool import Spool
from graphrelay.spool.changes import Changed, NoteNdr
from graphrelay.spool.queries import LanesUsed, RelayedTo

LOOK_EVERY = timedelta(minutes=5)
LATELY = timedelta(days=2)
"""How long after its last message a mailbox is looked at; Exchange tries for a day."""
OVERLAP = timedelta(minutes=10)
"""Reports do not always become visible in their order."""
TRIES = 12
"""How often a report that cannot be read is tried, while the mailbox can, before those behind it
come first."""


class Post(Protocol):
    """What is needed of the Graph client."""

    def for_lane(self, lane: Lane) -> inbox.Caller: ...


@dataclass(slots=True)
class _Place:
    """How far a mailbox has been read."""

    since: datetime
    seen: set[str]
    closed: bool = False
    """It was told that it may not be read."""
    stuck_at: str = ""
    """The report that could not be read."""
    tries: int = 0
    """How often that was tried."""


class Bounces:
    """Lives in one event loop."""

    def __init__(
        self,
        post: Post,
        tokens: Tokens,
        spool: Spool,
        accounts: Callable[[], Collection[Account]],
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._post = post
        self._tokens = tokens
        self._spool = spool
        self._accounts = accounts
        self._clock = clock
        self._journal = journal
        self._places: dict[Lane, _Place] = {}

    async def run(self) -> None:
        """Look now and then; never returns."""
        while True:
            await self._clock.sleep(LOOK_EVERY)
            try:
                await self.look()
            except StorageUnavailable as error:
                self._journal.warning("bounces-not-read", reason=str(error))
            except Exception as error:  # a mistake of ours, which must not stop the mail
                self._journal.error("bounces-broke", reason=repr(error))

    async def look(self) -> None:
        """Once, into every mailbox that has sent something lately."""
        reading = {account.name: account for account in self._accounts() if _reads(account)}
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
                await self._look_by(lane, place, reading[lane.account])
            except StorageUnavailable:
                raise
            except Exception as error:  # a mistake of ours, which must not hide other mailboxes
                self._journal.error("bounces-broke", mailbox=lane.mailbox, reason=repr(error))

    async def _look_by(self, lane: Lane, place: _Place, account: Account) -> None:
        token = await self._tokens.token(lane.account)
        if isinstance(token, Granted):
            own = account.is_own_mailbox(lane.mailbox)
            mailbox = OWN_MAILBOX if own else mailbox_path(lane.mailbox)
            await self._look_in(lane, place, mailbox, Bearer(self._tokens, lane, token))

    async def _look_in(self, lane: Lane, place: _Place, mailbox: str, bearer: Bearer) -> None:
        client = self._post.for_lane(lane)
        since, newest, passed = place.since, place.since, 0
        while True:
            listing = partial(
                inbox.reports,
                client,
                mailbox,
                since,
                client_request_id=str(uuid4()),
                passed=passed,
            )
            found: tuple[Found, ...] | MayNotLook | Delayed | Paused = await bearer.use(listing)
            if not isinstance(found, tuple):
                self._tell_not_read(lane, place, found)
                return
            place.closed = False
            for report in found:
                newest = max(newest, report.received_at)
                if report.id not in place.seen:
                    why = await self._take(lane, client, mailbox, bearer, report)
                    if why and not self._passes_over(lane, place, report, why):
                        return  # the next look begins here again
                place.seen.add(report.id)
            if len(found) < inbox.PAGE:
                break
            # As long as it is the same second, whose reports cannot be told apart by their time.
            since, passed = newest, passed + inbox.PAGE if newest == since else 0
        place.since = max(place.since, newest - OVERLAP)

    async def _take(
        self, lane: Lane, client: inbox.Caller, mailbox: str, bearer: Bearer, report: Found
    ) -> str:
        """Why it could not be read; empty where it was."""
        fetching = partial(inbox.octets, client, mailbox, report, client_request_id=str(uuid4()))
        octets: bytes | MayNotLook | Delayed | Paused = await bearer.use(fetching)
        if not isinstance(octets, bytes):
            return _why(octets)
        try:
            read = await reading.of(len(octets), ndr.read, octets)
        except Exception as error:  # a mistake of ours with this one
            return repr(error)
        if read is None:
            self._journal.warning("bounce-not-understood", mailbox=lane.mailbox, report=report.id)
            return ""
        for failure in read.failures:
            await self._note(read, failure, report, lane)
        return ""

    def _passes_over(self, lane: Lane, place: _Place, report: Found, why: str) -> bool:
        """Whether it was tried often enough: it must not hide for ever what lies behind it."""
        place.tries = place.tries + 1 if place.stuck_at == report.id else 1
        place.stuck_at = report.id
        if place.tries < TRIES:
            return False
        self._journal.warning("bounce-not-read", mailbox=lane.mailbox, report=report.id, reason=why)
        return True

    async def _note(self, read: Bounce, failure: Failure, report: Found, lane: Lane) -> None:
        reason = f"{failure.recipient}: {failure.reason or failure.status or 'no reason given'}"
        part = await self._spool.read(RelayedTo(tuple(read.message_ids), failure.recipient))
        if part is None:
            return
        note = NoteNdr(part.submission_id, reason, report.received_at)
        if isinstance(await self._spool.change(note), Changed):
            self._journal.bounced(
                part.queue_id, failure.recipient, failure.status, failure.reason, lane.mailbox
            )

    def _tell_not_read(self, lane: Lane, place: _Place, why: MayNotLook | Delayed | Paused) -> None:
        """Once, until it works again; what passes by itself is not told."""
        if isinstance(why, Delayed) or place.closed:
            return
        place.closed = True
        self._journal.warning(
            "bounces-not-read",
            account=lane.account,
            mailbox=lane.mailbox,
            reason=_why(why),
            remedy=f"grant Mail.Read, then graphrelay authorize {lane.account}",
        )


def _why(not_read: MayNotLook | Delayed | Paused) -> str:
    return "the account may not read it" if isinstance(not_read, MayNotLook) else not_read.reason


def _reads(account: Account) -> bool:
    return account.scenario.bounces
