"""The embedded engine: one SQLite database, one thread that writes it, large bodies as files beside
it.

Each call that changes something is one transaction on the writer's thread (writer.py). Reading uses
separate read-only connections. docs/spool.md describes each state on disk and what a crash leaves
of it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

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
    StorageUnavailable,
    Submission,
)
from graphrelay.spool.changes import (
    Change,
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
from graphrelay.spool.codec import moment
from graphrelay.spool.contract import LaneWatcher, Report
from graphrelay.spool.errors import ENDS, GOES_ON, MailLost
from graphrelay.spool.housekeeping import again_and_again
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
from graphrelay.spool.sqlite.database.reader import Reader
from graphrelay.spool.sqlite.database.schema import Migration, migrations
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction, Job, Shared, Work, Writer
from graphrelay.spool.sqlite.errors import is_damage, is_full, translated
from graphrelay.spool.sqlite.files.bodies import BodyFolder, Incoming
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup import check
from graphrelay.spool.sqlite.startup.start import DATABASE, Start
from graphrelay.spool.sqlite.statements import admin, attempts, due, history, ndrs, refusals
from graphrelay.spool.sqlite.statements.begin_reading import BeginReading
from graphrelay.spool.sqlite.statements.change_plan import ChangePlan
from graphrelay.spool.sqlite.statements.divide import Divide
from graphrelay.spool.sqlite.statements.prune import (
    Prune,
    empty_wal,
    free_pages,
    give_pages_back,
    with_octets,
)
from graphrelay.spool.sqlite.statements.put import Deposit, Depositor, erase
from graphrelay.spool.sqlite.wall_clock import WallClock
from graphrelay.spool.values import Batch, Divided, Refusal, Stats, Take

T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
RESERVE = 32 * 1024 * 1024
"""Twice the size to which the WAL grows (schema.py): for the WAL and for its copy in the database.
So outcomes can be recorded on a disk that is too full for new mail."""
IDLE = timedelta(seconds=30)
KEPT_PAGES = 4096
"""Free pages (16 MB) that are kept for new mail."""


class SqliteSpool:
    """Implements spool.Spool; created by `SqliteSpool.open`. Called from the event loop that opened
    it."""

    def __init__(
        self,
        start: Start,
        folder: BodyFolder,
        writer: Writer,
        readers: tuple[Reader, Reader],
        depositor: Depositor,
        keep_messages: timedelta,
    ) -> None:
        """The first of `readers` is for the queue, the other for administrators: listing a year of
        mail must not delay the queue."""
        self._start = start
        self._clock = start.clock
        self._journal = start.journal
        self._folder = folder
        self._writer = writer
        self._due, self._reader = readers
        self._depositor = depositor
        self._process = uuid4().hex
        self._wall = WallClock(start.clock)
        self._keep_messages = keep_messages
        self._forgotten_until = datetime(1970, 1, 1, tzinfo=UTC)
        """Messages that were done before then have no octets any more."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        directory: Path,
        clock: Clock,
        journal: Journal,
        *,
        inline_limit: int = INLINE_LIMIT,
        reserve: int = RESERVE,
        disk: Disk | None = None,
        steps: Sequence[Migration] | None = None,
        patience: timedelta = timedelta(0),
        check_at_once: int = check.AT_ONCE,
        keep_messages: timedelta = timedelta(0),
    ) -> AsyncIterator["SqliteSpool"]:
        """Open the spool in `directory`, which is created if necessary, until the context ends.

        Bodies up to `inline_limit` octets are stored in the database; new mail is refused when the
        disk has less than `reserve` left. Waits up to `patience` for another process to release the
        spool. A database up to `check_at_once` octets is checked first. The octets of a message are
        deleted `keep_messages` after it is done. Raises `SpoolInUse`, `SpoolTooNew`,
        `StorageUnavailable`.
        """
        disk = disk or Disk()
        start = Start(
            directory,
            disk,
            clock,
            journal,
            steps or migrations(),
            asyncio.get_running_loop(),
            check_at_once,
        )
        lock = await asyncio.to_thread(start.own, patience)
        try:
            folder = BodyFolder(
                directory / "bodies",
                disk,
                clock,
                inline_limit=inline_limit,
                reserve=reserve,
                database=directory / DATABASE,
            )
            with closing(folder):
                writer, readers, depositor = await asyncio.to_thread(_connect, start, folder)
                try:
                    writer.start()
                    yield cls(start, folder, writer, readers, depositor, keep_messages)
                finally:
                    for reader in readers:
                        await reader.close()
                    await writer.close()
        finally:
            lock.give_back()

    # Sharing -------------------------------------------------------------------------------------

    def watch(self, watcher: LaneWatcher) -> None:
        """Nobody else has this spool, so there is nothing to tell."""

    def sends(self, lane: Lane) -> bool:
        return True

    async def retire(self) -> None:
        """There is nobody to leave lanes to."""

    # Accepting -----------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        return self._folder.incoming()

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        mine = _ours(body)
        deposit = Deposit(message, await mine.store(), self._clock.now())
        job = self._writer.submit(Shared(self._depositor.put, deposit), "take a message")
        try:
            return await job.future
        except asyncio.CancelledError:
            await self._afterwards(_taking_back(job))
            raise
        finally:
            await self._part_with(mine, job)
            del job  # a circle that keeps octets in memory: see errors.py

    async def _afterwards(self, work: Work[None]) -> None:
        """Runs after a `Work` whose caller was cancelled while it was under way."""
        following = self._writer.submit(work, "end a cancelled call")
        while not following.future.done():
            with suppress(asyncio.CancelledError):  # the caller is being cancelled already
                await asyncio.wait([following.future])
        if following.future.exception() is not None:
            reason = str(following.future.exception())
            self._journal.write(events.SpoolCancelledCallKept(reason=reason))

    async def _part_with(self, body: Incoming, job: Job[tuple[Submission, ...]]) -> None:
        """Delete the body unless a row refers to it."""
        if job.error is None and job.answer:
            body.hand_over()
            return
        if isinstance(job.error, StorageUnavailable) and not is_full(job.error.__cause__):
            name = body.abandon()
            if name:
                self._writer.unlink_after_next_commit(name)
        await body.discard()

    # The queue -----------------------------------------------------------------------------------

    async def lanes(self) -> tuple[Lane, ...]:
        return await self._due.run(due.lanes, "list the lanes")

    async def take(self, wanted: Take) -> Batch:
        if jump := self._wall.jump():
            await self._run(due.ShiftWaits(self._wall.before_jump(), jump), "follow the clock")
            self._wall.follow()
        return await self._due.run(due.TakeDue(wanted, self._clock.now()), "read the queue")

    async def load(self, submission_id: int, *, kept: bool = False) -> Submission:
        return self._found(await self._run(self._load(submission_id, kept), "load a message"))

    async def load_to_send(self, entry: QueueEntry) -> Submission:
        opening = BeginReading(entry, self._load(entry.submission_id), self._process)
        # It protects from a message that ends the process: the machine goes on.
        return self._found(await self._writer.run_unsynced(opening, "load a message"))

    def _load(self, submission_id: int, kept: bool = False) -> attempts.Load:
        return attempts.Load(submission_id, self._folder, self._clock.now(), kept)

    def _found(self, found: Submission | attempts.OctetsLost) -> Submission:
        if isinstance(found, attempts.OctetsLost):
            self._journal.write(events.Held(found.queue_id, found.reason))
            raise MailLost(f"{found.queue_id} is held. {found.reason}")
        return found

    # An attempt ----------------------------------------------------------------------------------

    async def begin(
        self, submission: Submission, started_at: datetime, client_request_id: str
    ) -> int:
        begin = attempts.Begin(
            submission.id,
            submission.plan.lane,
            submission.attempts,
            started_at,
            client_request_id,
        )
        return await self._run(begin, "record an attempt")

    async def keep_draft(self, submission: Submission, progress: DraftProgress) -> None:
        await self._run(attempts.KeepDraft(submission.id, progress), "record a draft")

    async def finish(
        self,
        submission: Submission,
        attempt: Attempt,
        following: NextState | Divided,
        report: Report | None = None,
    ) -> tuple[Submission, ...]:
        if isinstance(following, Divided):
            state: NextState = Queued(following.not_before)
            finish = attempts.Finish(submission.id, attempt, state)
            divide = Divide(finish, following.pieces, self._depositor)
            await self._run(divide, "divide a message")
            return ()
        finish = attempts.Finish(
            submission.id, attempt, following, keep_octets=self._keep_messages > timedelta(0)
        )
        if report is None:
            await self._run(finish, "record an outcome")
            return ()
        return await self._put_after(finish, report, "record an outcome")

    async def merge(
        self, ids: Sequence[int], instead: Report, reason: str
    ) -> tuple[Submission, ...]:
        now = self._clock.now()

        def take_back(transaction: DatabaseTransaction) -> bool:
            return attempts.take_back(transaction, ids, reason, now)

        return await self._put_after(take_back, instead, "merge messages")

    async def _put_after(
        self, first: Work[bool], report: Report, doing: str
    ) -> tuple[Submission, ...]:
        """Store a message in the transaction of `first`, if that allows it."""
        body = _ours(report[1])
        deposit = Deposit(report[0], await body.store(), self._clock.now())

        def work(transaction: DatabaseTransaction) -> tuple[Submission, ...]:
            if not first(transaction):
                return ()
            return self._depositor.put(transaction, [deposit])[0]

        job = self._writer.submit(work, doing)
        try:
            return await job.future
        except asyncio.CancelledError:
            await self._afterwards(lambda transaction: None)
            raise
        finally:
            await self._part_with(body, job)
            del job  # a circle that keeps octets in memory: see errors.py

    # Changes and queries -------------------------------------------------------------------------

    async def change(self, change: Change) -> Verdict:
        now = self._clock.now()
        match change:
            case Hold() | Release() | Retry() | Delete():
                return await self._run(admin.Apply(change, now), "change the queue")
            case Move():
                return await self._run(ChangePlan(change, now), "move a message")
            case ForgetDraft():
                return await self._run(attempts.DropDraft(change), "forget a draft")
            case NoteNdr():
                return await self._run(ndrs.Note(change), "note an NDR")
            case NoteResent():
                return await self._run(admin.NoteResending(change), "note a resending")

    async def note_refusals(self, refused: Sequence[Refusal]) -> None:
        await self._run(refusals.NoteRefusals(tuple(refused)), "record what was refused")

    async def read(self, query: Query[T]) -> T:
        answer: T = await self._reader.run(lambda c: self._answer(c, query), "answer a query")
        return answer

    def _answer(self, connection: sqlite3.Connection, query: Query[Any]) -> Any:
        """Runs in the reader's thread."""
        match query:
            case QueueFilter():
                return history.queue(connection, query)
            case Matching():
                return history.matching(connection, query.wanted)
            case LogFilter():
                return history.log(connection, query)
            case RefusalFilter():
                return refusals.log(connection, query)
            case HistoryOf():
                return history.message(connection, query)
            case Count():
                return self._stats(connection)
            case Backlogs():
                return due.backlogs(connection)
            case Relays() | LaneNotes():
                return []
            case InFlight():
                return attempts.interrupted(connection)
            case LeftDrafts():
                return attempts.left_behind(connection)
            case Tally():
                return history.tally(connection, query)
            case LanesUsed():
                return ndrs.lanes_used(connection, query)
            case RelayedTo():
                return ndrs.relayed_to(connection, query)
            case SharesMessageId():
                return history.shares_message_id(connection, query)
        raise TypeError(f"not a query: {query!r}")

    def _stats(self, connection: sqlite3.Connection) -> Stats:
        queued, held, in_flight, octets, oldest = history.figures(connection)
        return Stats(
            queued=queued,
            held=held,
            in_flight=in_flight,
            octets=octets,
            oldest=None if oldest is None else moment(oldest),
            database=self._start.database_size(),
            free=self._start.disk.free(self._start.directory),
            commit=self._writer.commits,
            fsync=self._folder.syncs,
        )

    # Housekeeping --------------------------------------------------------------------------------

    async def prune(self, keep: timedelta) -> int:
        """Delete what was done or refused longer than `keep` ago. Returns how many."""
        await self._forget_octets()
        before = self._clock.now() - keep
        forgotten = 0
        for prune in (Prune(before), refusals.PruneRefusals(before)):
            while count := await self._run(prune, "prune the mail log"):
                forgotten += count
        return forgotten

    async def _forget_octets(self) -> None:
        """Of what was done longer than `keep_messages` ago."""
        since, before = self._forgotten_until, self._clock.now() - self._keep_messages
        while found := await self._reader.run(
            lambda c: with_octets(c, since, before), "look for old messages"
        ):

            def forget(transaction: DatabaseTransaction, messages: list[int] = found) -> None:
                for message in messages:
                    attempts.forget_octets(transaction, message)

            await self._run(forget, "forget old messages")
        self._forgotten_until = before

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns: prunes the mail log, and returns free space whenever nothing has happened
        for a while. Errors are written to the journal and retried later."""
        looked, tidied, verified = self._writer.changes, -1, False

        async def work() -> None:
            nonlocal looked, tidied, verified
            try:
                if not verified:
                    await self._verify_if_large()
                    verified = True
                elif await self.prune(keep) == 0 and looked == self._writer.changes != tidied:
                    await self.tidy()
                    tidied = self._writer.changes
            finally:
                looked = self._writer.changes

        await again_and_again(work, IDLE, self._clock, self._journal)

    async def _verify_if_large(self) -> None:
        """A small database was checked at startup."""
        if self._start.database_size() > self._start.at_once:
            await self.verify()

    async def verify(self) -> None:
        """Check the whole database while the relay runs; damage is reported in the journal, and
        recovered from at the next start."""
        what = await check.behind(self._start.database, self._start.disk)
        if what:
            self._start.mark_damaged(what)

    async def tidy(self) -> None:
        """Return the space of deleted mail to the file system, and empty the WAL.

        Stops as soon as there is mail to store: each portion takes a few milliseconds.
        """
        before = self._writer.changes
        while self._writer.changes == before:
            if await self._run(free_pages, "give room back") <= KEPT_PAGES:
                break
            await self._run(give_pages_back, "give room back")
        await self._writer.run_alone(empty_wal, "empty the WAL")

    async def _run(self, work: Work[T], doing: str) -> T:
        return await self._writer.run(work, doing)


def _taking_back(job: Job[tuple[Submission, ...]]) -> Work[None]:
    """Undoes a `put` once it has been done."""
    return lambda transaction: erase(transaction, job.answer)


def _ours(body: IncomingBody) -> Incoming:
    if not isinstance(body, Incoming):
        raise TypeError("a body must come from this spool's incoming()")
    return body


def _connect(start: Start, folder: BodyFolder) -> tuple[Writer, tuple[Reader, Reader], Depositor]:
    def explain(error: BaseException, doing: str, then: str = GOES_ON) -> BaseException:
        if is_damage(error):
            start.mark_damaged(str(error))
        return translated(error, doing, start.directory, then)

    def unlink(names: Sequence[str]) -> None:
        for name in names:
            folder.unlink(name)

    try:
        connection = start.open_database()
        try:
            attempts.count_in_flight(connection)
            start.match_bodies(connection, folder)
            depositor = Depositor(connection, folder)
            for_queue = start.disk.connect_to_read(start.database)
            for_people = start.disk.connect_to_read(start.database)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise explain(error, "be opened", ENDS)  # noqa: B904 (it has its cause)
    writer = Writer(connection, start.disk, explain, unlink)
    return writer, (Reader(for_queue, explain), Reader(for_people, explain)), depositor
