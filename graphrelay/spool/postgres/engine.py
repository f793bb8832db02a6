"""The engine for several relays: one PostgreSQL database, which they share.

    accept, load_to_send, begin, finish ──▶ writer (group commit)
    take, read, rare changes ─────────────▶ the pool, a transaction each
    lanes ◀── leases ◀── renewals, and notifications of other relays

What happens often goes through the writer (writer.py). What a relay may do to a lane is decided by
its lease (leases.py). docs/several-hosts.md describes what is promised.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import getrandbits
from typing import Any, TypeVar
from uuid import uuid4

import psycopg

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Attempt,
    DraftProgress,
    IncomingBody,
    Lane,
    NewMessage,
    NextState,
    Queued,
    QueueEntry,
    StorageAway,
    StorageUnavailable,
    Submission,
)
from graphrelay.spool.changes import (
    Change,
    Changed,
    Delete,
    ForgetDraft,
    Hold,
    Move,
    NoteNdr,
    NoteResent,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.contract import LaneWatcher, Report
from graphrelay.spool.errors import ENDED, MailLost, NotQueued
from graphrelay.spool.postgres import lane_notes, schema
from graphrelay.spool.postgres.alerts import CommonAlerts
from graphrelay.spool.postgres.bodies import Incoming, Pieces
from graphrelay.spool.postgres.connections import (
    Connection,
    Connections,
    connect,
    refuse_shared_sessions,
)
from graphrelay.spool.postgres.database_clock import NOW, DatabaseClock
from graphrelay.spool.postgres.errors import CONFLICTS, translated
from graphrelay.spool.postgres.leases import CHANNEL, LEASE, Leases
from graphrelay.spool.postgres.secrets import Secrets
from graphrelay.spool.postgres.statements import (
    attempts,
    changes,
    drafts,
    due,
    history,
    ndrs,
    prune,
    refusals,
    relays,
)
from graphrelay.spool.postgres.statements.divide import divide
from graphrelay.spool.postgres.statements.put import (
    Deposit,
    Deposited,
    PutMail,
    announce,
    erase,
    made,
    put_one,
)
from graphrelay.spool.postgres.text import restored
from graphrelay.spool.postgres.writer import FIRST, TRIES, Job, Writer
from graphrelay.spool.queries import (
    Backlogs,
    Count,
    HistoryOf,
    InFlight,
    LaneNotes,
    LanesUsed,
    LeftDrafts,
    LogFilter,
    Matching,
    Query,
    QueueFilter,
    RefusalFilter,
    RelayedTo,
    Relays,
    SharesMessageId,
    Tally,
)
from graphrelay.spool.queue_ids import QueueIds
from graphrelay.spool.values import Batch, Divided, Refusal, Take

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

INLINE_LIMIT = 64 * 1024
REQUEST_LIMIT = timedelta(seconds=230)
"""How long a request to Graph may take (graph/http/exchange.py): to connect, to send while nothing
stalls, and until the answer. Until then another relay's request counts as one in flight."""
ACCEPT_LIMIT = 10.0
"""Seconds after which a client is told that its message could not be taken."""
POLL = timedelta(seconds=15)
"""How often every lane is asked what is due, in case a notification was lost."""
IDLE = timedelta(seconds=60)
FAREWELL = 3.0
"""Seconds for which a relay that ends tries to leave its lanes."""


class PostgresSpool:
    """spool.Spool, made by `PostgresSpool.open`. Called from the event loop that opened it."""

    def __init__(
        self,
        connections: Connections,
        clock: Clock,
        database_clock: DatabaseClock,
        journal: Journal,
        leases: Leases,
        process: str,
        *,
        inline_limit: int,
        request_limit: timedelta,
        keep_messages: timedelta,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._database_clock = database_clock
        self._journal = journal
        self._leases = leases
        self._process = process
        self._request_limit = request_limit
        self._keep_messages = keep_messages
        self._watcher: LaneWatcher | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ids: QueueIds | None = None
        self._background: list[asyncio.Task[None]] = []
        self._pieces = Pieces(connections, lambda: leases.relay or process, inline_limit)
        self._loader = attempts.Loader(self._pieces, leases.term)
        self._writer = Writer(connections, process)
        self.secrets = Secrets(connections, process)
        self.alerts = CommonAlerts(connections, self._relay)
        self._put = self._new_put()
        self._mark = attempts.MarkAndLoad(self._loader, process, self._relay, clock.now)
        self._begin = attempts.Begin(self._relay)
        self._finish = self._new_finish()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        clock: Clock,
        journal: Journal,
        *,
        host: str = "",
        sends: bool = True,
        inline_limit: int = INLINE_LIMIT,
        request_limit: timedelta = REQUEST_LIMIT,
        lease: timedelta = LEASE,
        keep_messages: timedelta = timedelta(0),
        database_clock: DatabaseClock | None = None,
    ) -> AsyncIterator["PostgresSpool"]:
        """Share the queue in the database of `url` until the context ends.

        Bodies up to `inline_limit` octets stand in a row, larger ones in pieces. A process that
        does not send leases no lanes. The octets of a message are deleted `keep_messages` after it
        is done. Raises `SpoolTooNew`, `StorageUnavailable`.
        """
        process = uuid4().hex
        connections = Connections(url, process)
        database_clock = database_clock or DatabaseClock(clock, journal)
        leases = Leases(
            connections,
            clock,
            database_clock,
            journal,
            host or socket.gethostname(),
            process,
            lease,
        )
        spool = cls(
            connections,
            clock,
            database_clock,
            journal,
            leases,
            process,
            inline_limit=inline_limit,
            request_limit=request_limit,
            keep_messages=keep_messages,
        )
        await connections.open()
        try:
            await spool._start(sends=sends)
            try:
                yield spool
            finally:
                await spool._end(sends=sends)
        finally:
            await connections.close()

    # Life -------------------------------------------------------------------------------------

    async def _start(self, *, sends: bool) -> None:
        try:
            async with self._connections.one() as connection:
                await refuse_shared_sessions(self._connections.url, connection)
                await self._prepare(connection)
            if sends:
                await self.secrets.look()  # before anything reads them: what changes later is told
                await self._leases.join()
                await self._leases.round()
        except psycopg.Error as error:
            raise translated(error, "be opened")  # noqa: B904 (it carries its cause)
        self._serving = asyncio.create_task(self._writer.serve(), name="spool-writer")
        if sends:
            works = {
                "leases": self._leases.run(),
                "notifications": self._listen(),
                "poll": self._poll(),
            }
            self._background = [
                asyncio.create_task(work, name=f"spool-{name}") for name, work in works.items()
            ]

    async def _prepare(self, connection: Connection) -> None:
        before, now = await schema.migrate(connection)
        if before not in (0, now):
            self._journal.write(events.SpoolMigrated(from_version=before, to_version=now))
        found = await connection.execute(_SERVER)
        [(at, version, durability, asked, standbys, *risks)] = await found.fetchall()
        self._database_clock.follow(at)
        self._journal.write(
            events.SpoolShared(
                server=f"PostgreSQL {version}",
                synchronous_commit=durability,
                asked=asked,
                synchronous_standbys=standbys or "none",
            )
        )
        for setting in (name for name, on in zip(_SYNCING, risks, strict=True) if on == "off"):
            self._journal.write(events.SpoolAtRisk(setting=f"{setting} = off"))
        await connection.execute(FIRST, (self._process,))
        found = await connection.execute("SELECT max(queue_id) FROM messages")
        [(last,)] = await found.fetchall()
        self._ids = QueueIds(last or "", self._chance)

    def _chance(self, bits: int) -> int:
        """The first of the nine bits that chance gives a queue id are those of the relay's slot: so
        two relays rarely give the same one, which costs a second try."""
        chance = getrandbits(bits)
        return chance if bits < _ID_BITS else self._leases.slot << (bits - 4) | chance >> 4

    async def _end(self, *, sends: bool) -> None:
        """What was asked for is done, if the server lets it; then every lane is left."""
        for task in self._background:
            task.cancel()
        self._writer.close()
        await asyncio.wait([self._serving, *self._tasks], timeout=FAREWELL)
        for task in (self._serving, *self._tasks):
            task.cancel()
        await asyncio.gather(self._serving, *self._background, *self._tasks, return_exceptions=True)
        with suppress(psycopg.Error, TimeoutError):  # then the lease expires
            async with asyncio.timeout(FAREWELL):
                if sends:
                    await self._leases.end()
                async with self._connections.one() as connection:
                    await connection.execute(
                        "DELETE FROM commits WHERE process = %s", (self._process,)
                    )

    def watch(self, watcher: LaneWatcher) -> None:
        self._watcher = watcher
        self._leases.watch(watcher)

    def sends(self, lane: Lane) -> bool:
        return self._leases.holds(lane)

    async def retire(self) -> None:
        try:
            await self._leases.retire()
        except psycopg.Error as error:
            raise translated(error, "leave its lanes")  # noqa: B904 (it carries its cause)

    async def renew(self) -> None:
        """Renew the lease, and take and leave lanes; that is done four times in a lease anyway.
        Raises `StorageUnavailable`."""
        try:
            await self._leases.round()
        except psycopg.Error as error:
            raise translated(error, "renew its lease")  # noqa: B904 (it carries its cause)

    async def _listen(self) -> None:
        """Never returns: what other relays tell."""
        while True:
            try:
                connection = await connect(self._connections.url, self._process)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._leases.look_soon()  # something may have been told before
                    await self._look_everywhere()
                    async for notification in connection.notifies():
                        self._notified(notification.payload)
            except psycopg.Error:  # told by the leases, which need the server too
                await self._clock.sleep(_LISTEN_AGAIN)

    def _notified(self, payload: str) -> None:
        """What a relay of another release tells besides is left aside."""
        match json.loads(payload):
            case {"lanes": _}:
                self._leases.look_soon()
            case {"secret": [str(service), str(name)]}:
                self.secrets.notified(service, name)
            case {"lane": [str(account), str(mailbox)]}:
                lane = Lane(restored(account), restored(mailbox))
                if self._leases.term(lane) and self._watcher is not None:
                    self._watcher.changed(lane)

    async def _poll(self) -> None:
        """Never returns: a notification that was lost costs no more than this."""
        while True:
            await self._clock.sleep(POLL)
            with suppress(psycopg.Error):  # told by the leases, which need the server too
                await self._look_everywhere()

    async def _look_everywhere(self) -> None:
        """Raises `psycopg.Error`."""
        await self.secrets.look()
        if self._watcher is not None:
            for lane in self._leases.lanes():
                self._watcher.changed(lane)

    # Accepting --------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        return self._pieces.incoming()

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        mine = _ours(body)
        kept = False
        try:
            job = self._writer.submit(
                self._put, Deposit(message, await mine.store(), self._clock.now())
            )
            put = await self._accepted(job)
            kept = True
            self._leases.made(put.made)
            return put.parts
        finally:
            if kept:
                mine.hand_over()
            else:
                await mine.discard()

    async def _accepted(self, job: Job[Deposit, Deposited]) -> Deposited:
        try:
            async with asyncio.timeout(ACCEPT_LIMIT):
                return await asyncio.shield(job.future)
        except asyncio.CancelledError:
            self._give_up(job)
            raise
        except TimeoutError as error:
            self._give_up(job)
            raise StorageAway(
                "The spool could not take a message in PostgreSQL: the server does not answer."
            ) from error

    def _give_up(self, job: Job[Deposit, Deposited]) -> None:
        if job.future.done() and job.future.exception() is None:  # the answer came just now
            task = asyncio.create_task(self._take_back(job.future.result()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._writer.give_up(job, self._take_back)

    async def _take_back(self, put: Deposited) -> None:
        """What nobody was given a 250 for; where that fails, it is sent all the same."""

        async def work(connection: Connection) -> None:
            await erase(connection, put.parts)

        try:
            await self._transact(work, "take a message back")
        except StorageUnavailable as error:
            self._journal.write(events.SpoolCancelledCallKept(reason=str(error)))

    # The queue --------------------------------------------------------------------------------

    async def lanes(self) -> tuple[Lane, ...]:
        relay = self._leases.relay
        found = await self._connections.run(
            lambda c: due.lanes_with_mail(c, relay), "list the lanes"
        )
        return tuple(lane for lane in found if self._leases.holds(lane))

    async def take(self, wanted: Take) -> Batch:
        if not self._leases.holds(wanted.lane):
            return Batch(entries=(), more_small=False, more_large=False, next_in=None)
        clock = self._database_clock
        return await self._connections.run(
            due.TakeDue(wanted, clock, clock.now()), "read the queue"
        )

    async def load(self, submission_id: int, *, kept: bool = False) -> Submission:
        async def work(connection: Connection) -> attempts.Found | None:
            cursor = await self._loader.execute(connection, [submission_id], kept=kept)
            one = (await self._loader.found(cursor)).get(submission_id)
            if isinstance(one, attempts.OctetsLost):
                now = self._clock.now()
                clock = self._database_clock
                await attempts.hold_lost(connection, clock, submission_id, one.reason, now)
            return one

        one = await self._transact(work, "load a message")
        if one is None:
            raise NotQueued(f"The submission {submission_id} is not in the queue any more.")
        return self._found(one)

    async def load_to_send(self, entry: QueueEntry) -> Submission:
        reading = attempts.Reading(entry, self._leases.term(entry.lane))
        if not self._leases.holds(entry.lane):
            raise NotQueued(f"The lane {entry.lane} is not leased to this relay.")
        one: attempts.Found = await self._writer.run(self._mark, reading)
        if isinstance(one, attempts.OctetsLost) and one.reason != ENDED:
            await self.load(entry.submission_id)  # which holds it, and raises
        return self._found(one)

    def _found(self, found: attempts.Found) -> Submission:
        if isinstance(found, attempts.OctetsLost):
            self._journal.write(events.Held(found.queue_id, found.reason))
            raise MailLost(f"{found.queue_id} is held. {found.reason}")
        return found

    # An attempt -------------------------------------------------------------------------------

    async def begin(
        self, submission: Submission, started_at: datetime, client_request_id: str
    ) -> int:
        begun = attempts.Beginning(
            submission, self._term(submission), started_at, client_request_id
        )
        number = await self._writer.run(self._begin, begun)
        if not self._leases.alive():
            task = asyncio.create_task(self._withdraw(begun, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            raise NotQueued(f"The lane {submission.plan.lane} may be another relay's by now.")
        return number

    async def _withdraw(self, begun: attempts.Beginning, number: int) -> None:
        """This relay stood still for longer than its lease: nothing may be sent any more. The mark
        goes, as soon as the server lets it: as long as the lane is this relay's, nobody else would
        settle it."""
        relay, lane = self._relay(), begun.submission.plan.lane
        while True:
            try:
                await self._transact(
                    lambda c: attempts.withdraw(c, begun, number, relay), "withdraw an attempt"
                )
                break
            except StorageUnavailable:  # told by the leases, which need the server too
                await self._clock.sleep(_WITHDRAW_AGAIN)
        if self._watcher is not None:
            self._watcher.changed(lane)

    async def keep_draft(self, submission: Submission, progress: DraftProgress) -> None:
        term, relay = self._term(submission), self._relay()
        await self._transact(
            lambda c: drafts.keep(c, submission, term, relay, progress), "record a draft"
        )

    async def finish(
        self,
        submission: Submission,
        attempt: Attempt,
        following: NextState | Divided,
        report: Report | None = None,
    ) -> tuple[Submission, ...]:
        term = self._term(submission)
        if isinstance(following, Divided):
            ending = attempts.Ending(submission, term, attempt, Queued(following.not_before))
            await self._transact(lambda c: self._divide(c, ending, following), "divide a message")
            return ()
        ending = attempts.Ending(submission, term, attempt, following)
        if report is None:
            await self._writer.run(self._finish, ending)
            return ()

        async def finish_first(connection: Connection) -> bool:
            return await attempts.finish_one(connection, self._new_finish(), ending)

        return await self._put_after(finish_first, report, "record an outcome")

    async def _divide(
        self, connection: Connection, ending: attempts.Ending, following: Divided
    ) -> None:
        if await attempts.finish_one(connection, self._new_finish(), ending):
            at = ending.attempt.finished_at
            await divide(connection, ending.submission.id, following.pieces, at)

    async def merge(
        self, ids: Sequence[int], instead: Report, reason: str
    ) -> tuple[Submission, ...]:
        now, clock = self._clock.now(), self._database_clock

        async def take_back(connection: Connection) -> bool:
            return await changes.take_back(connection, ids, reason, now, clock)

        return await self._put_after(take_back, instead, "merge messages")

    async def _put_after(
        self, first: Work[bool], report: Report, doing: str
    ) -> tuple[Submission, ...]:
        """PutMail a message in the transaction of `first`, and only if that answers so."""
        body = _ours(report[1])
        deposit = Deposit(report[0], await body.store(), self._clock.now())

        async def work(connection: Connection) -> Deposited | None:
            if not await first(connection):
                return None
            return await put_one(connection, self._new_put(), deposit)

        kept = False
        try:
            put = await self._transact(work, doing)
            if put is None:
                return ()
            kept = True
            self._leases.made(put.made)
            return put.parts
        finally:
            if kept:
                body.hand_over()
            else:
                await body.discard()

    # Changes and queries ----------------------------------------------------------------------

    async def change(self, change: Change) -> Verdict:
        doing = "change the queue"
        verdict, new = await self._transact(lambda c: self._change(c, change), doing)
        self._leases.made(new)
        return verdict

    async def _change(
        self, connection: Connection, change: Change
    ) -> tuple[Verdict, frozenset[Lane]]:
        verdict = await self._changed(connection, change)
        if not isinstance(verdict, Changed):
            return verdict, frozenset()
        lanes = {entry.lane for entry in verdict.submissions}
        new = await made(await announce(connection, self._leases, lanes), self._leases)
        if isinstance(change, Retry):
            await self._leases.ask_for_probes(connection, lanes)
        return verdict, new

    async def _changed(self, connection: Connection, change: Change) -> Verdict:
        now, clock = self._clock.now(), self._database_clock
        match change:
            case Hold() | Release() | Retry() | Delete():
                return await changes.verb(change, now, clock)(connection)
            case Move():
                return await changes.move(connection, change, now, clock)
            case ForgetDraft():
                return await changes.forget_draft(connection, change)
            case NoteNdr():
                return await changes.note_ndr(connection, change)
            case NoteResent(number, reason, at):
                await attempts.note(connection, number, "resent", reason, at)
                return Changed(())

    async def note_refusals(self, refused: Sequence[Refusal]) -> None:
        await self._transact(lambda c: refusals.note(c, refused), "record what was refused")

    async def read(self, query: Query[T]) -> T:
        answer: T = await self._connections.run(lambda c: self._answer(c, query), "answer a query")
        return answer

    async def _answer(self, connection: Connection, query: Query[Any]) -> Any:
        clock, relay = self._database_clock, self._leases.relay
        match query:
            case QueueFilter():
                return await history.queue(connection, query, clock)
            case Matching():
                return await history.matching(connection, query.wanted)
            case LogFilter():
                return await history.log(connection, query)
            case RefusalFilter():
                return await refusals.log(connection, query)
            case HistoryOf():
                return await history.message(connection, query, clock)
            case Count():
                return replace(await history.figures(connection), commit=self._writer.commits)
            case Backlogs():
                return await due.backlogs(connection)
            case Relays():
                return await relays.every(connection, clock)
            case LaneNotes():
                return await lane_notes.of_others(connection, clock, relay)
            case InFlight():
                return await attempts.interrupted(connection, relay, self._request_limit)
            case LeftDrafts():
                return await drafts.left_behind(connection, relay)
            case Tally():
                return await history.tally(connection, query)
            case LanesUsed():
                return await ndrs.lanes_used(connection, query, relay)
            case RelayedTo():
                return await ndrs.relayed_to(connection, query)
            case SharesMessageId():
                return await history.shares_message_id(connection, query)
        raise TypeError(f"not a query: {query!r}")

    # Housekeeping -----------------------------------------------------------------------------

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns: prunes the mail log, and sweeps what relays that have gone left."""
        forgotten = datetime(1970, 1, 1, tzinfo=UTC)
        while True:
            try:
                done = self._clock.now() - self._keep_messages
                while await self._connections.run(
                    lambda c: prune.forget_octets(c, forgotten, done),  # noqa: B023
                    "forget old messages",
                ):
                    pass
                forgotten = done
                before = self._clock.now() - keep
                doing = "prune the mail log"
                while await self._connections.run(
                    lambda c: prune.prune(c, before),  # noqa: B023
                    doing,
                ):
                    pass
                await self._connections.run(
                    lambda c: refusals.prune(c, before),  # noqa: B023
                    doing,
                )
                await self._connections.run(prune.sweep, "sweep")
            except StorageUnavailable as error:
                self._journal.write(events.SpoolHousekeeping(reason=str(error)))
            except Exception as error:  # a mistake of ours, which must not stop the mail
                self._journal.write(events.SpoolBroke(reason=repr(error)))
            await self._clock.sleep(IDLE)

    # Transactions -----------------------------------------------------------------------------

    def _new_put(self) -> PutMail:
        return PutMail(self._queue_ids, self._database_clock, self._leases, self._pieces)

    def _new_finish(self) -> attempts.Finish:
        keeps = self._keep_messages > timedelta(0)
        return attempts.Finish(self._relay, self._database_clock, keep_octets=keeps)

    def _queue_ids(self) -> QueueIds:
        assert self._ids is not None  # noqa: S101 (made when the spool was opened)
        return self._ids

    def _relay(self) -> str:
        return self._leases.relay

    def _term(self, submission: Submission) -> int:
        """Of the lease under which it was loaded. What was just accepted into a lane that nobody
        had was loaded by that."""
        return submission.term or self._leases.term(submission.plan.lane)

    async def _transact(self, work: Work[T], doing: str) -> T:
        """A transaction of its own, to its end also where the caller is cancelled."""
        task = asyncio.create_task(self._transaction(work, doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _transaction(self, work: Work[T], doing: str) -> T:
        tries = TRIES
        while True:
            tries -= 1
            try:
                async with self._connections.one() as connection, connection.transaction():
                    return await work(connection)
            except psycopg.Error as error:
                if not (tries and isinstance(error, CONFLICTS)):
                    raise translated(error, doing)  # noqa: B904 (it carries its cause)


_ID_BITS = 9
_SYNCING = ("fsync", "full_page_writes")
_SERVER = f"""SELECT {NOW}, current_setting('server_version'),
    current_setting('synchronous_commit'),
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
    current_setting('synchronous_standby_names'),
    {", ".join(f"current_setting('{name}')" for name in _SYNCING)}"""  # noqa: S608 (our own words)
_LISTEN_AGAIN = timedelta(seconds=1)
_WITHDRAW_AGAIN = timedelta(seconds=1)


def _ours(body: IncomingBody) -> Incoming:
    if not isinstance(body, Incoming):
        raise TypeError("a body must come from this spool's incoming()")
    return body
