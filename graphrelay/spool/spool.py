"""The mail that we own: the one owner of everything on disk.

    put ─────▶ queued ──begin_attempt──▶ in flight ──finish_attempt──▶ queued, held or done

Each verb is one transaction on the writer's thread (writer.py); when a call returns, what it did
is on the disk. Reading for people goes through a second connection that cannot write. What each
state looks like on the disk, and what a crash leaves of it, is told in docs/spool.md.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Address,
    Attempt,
    DraftProgress,
    IncomingBody,
    Lane,
    NewMessage,
    Next,
    Plan,
    Queued,
    StorageUnavailable,
    Submission,
    Waiting,
)
from graphrelay.spool.errors import MailLost, is_damage, is_full, translated
from graphrelay.spool.sqlite.database.codec import moment
from graphrelay.spool.sqlite.database.reader import Reader
from graphrelay.spool.sqlite.database.schema import Migration, migrations
from graphrelay.spool.sqlite.database.writer import Job, Shared, Transaction, Work, Writer
from graphrelay.spool.sqlite.files.bodies import BodyFolder, Incoming
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup import check
from graphrelay.spool.sqlite.startup.start import DATABASE, Start
from graphrelay.spool.sqlite.statements import admin, attempts, bounced, history
from graphrelay.spool.sqlite.statements.begin_reading import BeginReading
from graphrelay.spool.sqlite.statements.change_plan import Move
from graphrelay.spool.sqlite.statements.divide import Divide
from graphrelay.spool.sqlite.statements.prune import Prune, empty_wal, free_pages, give_pages_back
from graphrelay.spool.sqlite.statements.put import Deposit, Depositor, erase
from graphrelay.spool.values import (
    Interrupted,
    LeftBehind,
    LogFilter,
    LogRow,
    MessageHistory,
    QueueFilter,
    QueueRow,
    Stats,
    Verdict,
)

T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
RESERVE = 32 * 1024 * 1024
"""Twice the size to which the WAL grows (schema.py): once for itself, once for its copy in the
database. So outcomes can be kept on a disk that takes no more mail."""
IDLE = timedelta(seconds=30)
KEPT_PAGES = 4096
"""Free pages (16 MB) that stay for the mail to come."""

ALL = QueueFilter()
LATEST = LogFilter()


class Spool:
    """Made by `Spool.open`. Its methods are called from the event loop that opened it.

    Every method may raise `StorageUnavailable`: then nothing of it was done, and it may be called
    again. A call that has begun is carried out even if its caller is cancelled; only `put` is
    taken back then, since nobody was told that the message is ours.
    """

    def __init__(
        self,
        start: Start,
        folder: BodyFolder,
        writer: Writer,
        reader: Reader,
        depositor: Depositor,
    ) -> None:
        self._start = start
        self._clock = start.clock
        self._journal = start.journal
        self._folder = folder
        self._writer = writer
        self._reader = reader
        self._depositor = depositor
        self._process = uuid4().hex

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
    ) -> AsyncIterator["Spool"]:
        """Own the spool in `directory`, made if need be, until the context ends.

        Bodies up to `inline_limit` octets stand in the database; new mail is refused when the disk
        has less than `reserve` left. Another owner is waited for as long as `patience`. Raises
        `SpoolInUse`, `SpoolTooNew`, `StorageUnavailable`.
        """
        disk = disk or Disk()
        start = Start(
            directory, disk, clock, journal, steps or migrations(), asyncio.get_running_loop()
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
                writer, reader, depositor = await asyncio.to_thread(_connect, start, folder)
                try:
                    writer.start()
                    yield cls(start, folder, writer, reader, depositor)
                finally:
                    await reader.close()
                    await writer.close()
        finally:
            lock.give_back()

    # Accepting -------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        """Where the octets of a message go while they come in."""
        return self._folder.incoming()

    async def put(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        """Own the message: when this returns it is on the disk, whole. The parts, in order.

        `body` is one of `incoming()`, and done with afterwards. A cancelled `put` leaves nothing
        behind, a failed one neither.
        """
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
            del job  # its error knows this frame: see errors.py

    async def _afterwards(self, work: Work[None]) -> None:
        """For a caller who was cancelled while a work of his was under way: this comes next."""
        following = self._writer.submit(work, "end a cancelled call")
        while not following.future.done():
            with suppress(asyncio.CancelledError):  # he is being cancelled already
                await asyncio.wait([following.future])
        if following.future.exception() is not None:
            reason = str(following.future.exception())
            self._journal.write(events.SpoolCancelledCallKept(reason=reason))

    async def _part_with(self, body: Incoming, job: Job[tuple[Submission, ...]]) -> None:
        """A row refers to the body now, or it goes."""
        if job.error is None and job.answer:
            body.hand_over()
            return
        if isinstance(job.error, StorageUnavailable) and not is_full(job.error.__cause__):
            name = body.abandon()
            if name:
                self._writer.unlink_after_next_commit(name)
        await body.discard()

    # The queue -------------------------------------------------------------------------------

    async def interrupted(self) -> list[Interrupted]:
        """Attempts that were begun and never finished. To be asked, and each one finished as
        `Uncertain`, before `waiting`: what is in flight does not wait."""
        return await self._run(attempts.interrupted, "read the queue")

    async def waiting(self) -> list[Waiting]:
        """Everything that is queued and not in flight, oldest first."""
        return await self._run(attempts.waiting, "read the queue")

    async def load(self, submission_id: int) -> Submission:
        """With its body. Raises `NotQueued` when it is done, `MailLost` when its octets are gone
        (it is held then, and the journal has been told)."""
        load = attempts.Load(submission_id, self._folder, self._clock.now())
        found = await self._run(load, "load a message")
        if isinstance(found, attempts.Lost):
            raise self._lost(found)
        return found

    async def begin_reading(self, submission_id: int) -> None:
        """The mark on the disk before a message is read to be sent; `begin_attempt` takes it away.

        Raises `NotQueued` when it is held, done or in flight, `MailLost` when it is held now, since
        `MOST_STARTS` processes have ended after they marked it.
        """
        begin = BeginReading(submission_id, self._process, self._clock.now())
        if lost := await self._run(begin, "record a reading"):
            raise self._lost(lost)

    def _lost(self, lost: attempts.Lost) -> MailLost:
        self._journal.write(events.Held(lost.queue_id, lost.reason))
        return MailLost(f"{lost.queue_id} is held. {lost.reason}")

    async def begin_attempt(
        self, submission_id: int, started_at: datetime, client_request_id: str
    ) -> int:
        """The mark on the disk before a request goes out; the attempt's number, from 1.

        Raises `NotQueued` when it is held, done or in flight.
        """
        begin = attempts.Begin(submission_id, started_at, client_request_id)
        return await self._run(begin, "record an attempt")

    async def finish_attempt(
        self,
        submission_id: int,
        attempt: Attempt,
        next: Next,
        report: tuple[NewMessage, IncomingBody] | None = None,
    ) -> tuple[Submission, ...]:
        """The outcome and what follows, in one transaction. When the last part of a message is
        `Done`, its octets go. Calling it again for the same attempt changes nothing.

        A `report` about it is put in the same transaction, so that the sender is told once, and
        not at all only if the outcome is not kept either; its parts are the answer. Its body is
        done with afterwards, also when this fails.

        Raises `NotQueued` when no such attempt was begun.
        """
        finish = attempts.Finish(submission_id, attempt, next)
        if report is None:
            await self._run(finish, "record an outcome")
            return ()
        body = _ours(report[1])
        deposit = Deposit(report[0], await body.store(), self._clock.now())

        def work(transaction: Transaction) -> tuple[Submission, ...]:
            if not finish(transaction):
                return ()
            return self._depositor.put(transaction, [deposit])[0]

        job = self._writer.submit(work, "record an outcome")
        try:
            return await job.future
        except asyncio.CancelledError:
            await self._afterwards(lambda transaction: None)
            raise
        finally:
            await self._part_with(body, job)
            del job  # its error knows this frame: see errors.py

    async def merge(
        self, ids: Sequence[int], instead: tuple[NewMessage, IncomingBody], reason: str
    ) -> tuple[Submission, ...]:
        """One message in place of several that wait and were never tried, in one transaction; its
        parts are the answer. None, and nothing is changed, where one of `ids` does not wait any
        more. The body is done with afterwards, also when this fails."""
        body, now = _ours(instead[1]), self._clock.now()
        deposit = Deposit(instead[0], await body.store(), now)

        def work(transaction: Transaction) -> tuple[Submission, ...]:
            if not attempts.take_back(transaction, ids, reason, now):
                return ()
            return self._depositor.put(transaction, [deposit])[0]

        job = self._writer.submit(work, "merge messages")
        try:
            return await job.future
        except asyncio.CancelledError:
            await self._afterwards(lambda transaction: None)
            raise
        finally:
            await self._part_with(body, job)
            del job  # its error knows this frame: see errors.py

    async def divide(
        self,
        submission_id: int,
        attempt: Attempt,
        following: Queued,
        pieces: tuple[tuple[Address, ...], ...],
    ) -> tuple[Waiting, ...]:
        """The outcome of an attempt, and several submissions in place of the one, in one
        transaction. It keeps the first of `pieces` (recipients, together its own); the others are
        the answer. Calling it again for the same attempt changes nothing, and answers the same.

        Raises `NotQueued` when no such attempt was begun.
        """
        finish = attempts.Finish(submission_id, attempt, following)
        return await self._run(Divide(finish, pieces, self._depositor), "divide a message")

    async def move(self, submission_id: int, plan: Plan, reason: str) -> Waiting | None:
        """Let what waits go by another plan; `None` where it does not wait any more."""
        move = Move(submission_id, plan, reason, self._clock.now())
        return await self._run(move, "move a message")

    # Drafts ----------------------------------------------------------------------------------

    async def keep_draft(self, submission_id: int, progress: DraftProgress) -> None:
        """How far the draft of an attempt that is under way got. It goes when that is relayed.

        Raises `NotQueued` when no attempt is under way.
        """
        await self._run(attempts.KeepDraft(submission_id, progress), "record a draft")

    async def forget_draft(self, submission_id: int, draft: str) -> None:
        """The draft of that id is not there any more."""
        await self._run(attempts.ForgetDraft(submission_id, draft), "forget a draft")

    async def left_behind(self) -> list[LeftBehind]:
        """Drafts of submissions that were given up (failed, or deleted by a person), and those that
        a submission left: it was divided, or began another one."""
        return await self._run(attempts.left_behind, "read what lies in Drafts")

    # What a person does ----------------------------------------------------------------------

    async def hold(self, which: str | int, reason: str) -> Verdict:
        """Keep it from going out, by queue id or submission id."""
        return await self._run(admin.hold(which, reason, self._clock.now()), "hold a message")

    async def release(self, which: str | int, not_before: datetime, reason: str = "") -> Verdict:
        """Let what was held go on."""
        verb = admin.release(which, not_before, reason, self._clock.now())
        return await self._run(verb, "release a message")

    async def retry_now(self, which: str | int, not_before: datetime, reason: str = "") -> Verdict:
        """Try what is queued at `not_before` instead of when it would be due."""
        verb = admin.retry(which, not_before, reason, self._clock.now())
        return await self._run(verb, "retry a message")

    async def delete(self, which: str | int, reason: str) -> Verdict:
        """Take it out of the queue for good; the mail log keeps what it was, and `reason`."""
        return await self._run(admin.delete(which, reason, self._clock.now()), "delete a message")

    async def bounced(
        self, message_ids: Sequence[str], recipient: str, reason: str, at: datetime
    ) -> str | None:
        """Note that what was relayed came back; its queue id, or `None` if it is not ours or was
        noted before."""
        found = await self._reader.run(
            lambda c: bounced.find(c, message_ids, recipient), "find a message"
        )
        if found is None:
            return None
        submission, queue_id = found
        news = await self._run(bounced.NoteBounce(submission, reason, at), "note a bounce")
        return queue_id if news else None

    # Reading ---------------------------------------------------------------------------------

    async def lanes_used(self, since: datetime) -> list[Lane]:
        """The lanes by which something was relayed since then."""
        return await self._reader.run(lambda c: bounced.lanes_used(c, since), "list the lanes")

    async def queue(self, wanted: QueueFilter = ALL) -> list[QueueRow]:
        """What is not done, oldest first."""
        return await self._reader.run(lambda c: history.queue(c, wanted), "list the queue")

    async def show(self, queue_id: str) -> MessageHistory | None:
        """All that is known of a message, by the id of any of its parts."""
        return await self._reader.run(lambda c: history.show(c, queue_id), "show a message")

    async def log(self, wanted: LogFilter = LATEST) -> list[LogRow]:
        """What came of the mail: newest first, or from `after_id` on oldest first."""
        return await self._reader.run(lambda c: history.log(c, wanted), "read the mail log")

    async def stats(self) -> Stats:
        """The queue in figures."""
        queued, held, in_flight, octets, oldest = await self._reader.run(
            history.figures, "count the queue"
        )
        return Stats(
            queued=queued,
            held=held,
            in_flight=in_flight,
            octets=octets,
            oldest=None if oldest is None else moment(oldest),
            database=self._start.database_size(),
            free=self._start.disk.free(self._start.directory),
        )

    # Housekeeping ----------------------------------------------------------------------------

    async def prune(self, keep: timedelta) -> int:
        """Forget messages that were done longer than `keep` ago; how many."""
        prune = Prune(self._clock.now() - keep)
        forgotten = 0
        while count := await self._run(prune, "prune the mail log"):
            forgotten += count
        return forgotten

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns: prunes the mail log, and tidies up whenever nothing has happened for a
        while. Troubles are told to the journal, and it is tried again later."""
        looked, tidied, verified = self._writer.changes, -1, False
        while True:
            try:
                if not verified:
                    await self._verify_if_large()
                    verified = True
                elif await self.prune(keep) == 0 and looked == self._writer.changes != tidied:
                    await self.tidy()
                    tidied = self._writer.changes
            except StorageUnavailable as error:
                self._journal.write(events.SpoolHousekeeping(reason=str(error)))
            except Exception as error:  # a mistake of ours, which must not stop the mail
                self._journal.write(events.SpoolBroke(reason=repr(error)))
            looked = self._writer.changes
            await self._clock.sleep(IDLE)

    async def _verify_if_large(self) -> None:
        """What is small was checked at the start."""
        if self._start.database_size() > check.AT_ONCE:
            await self.verify()

    async def verify(self) -> None:
        """Check the whole database beside the running work; damage is told to the journal, and
        recovered from at the next start."""
        what = await check.behind(self._start.database, self._start.disk)
        if what:
            self._start.mark_damaged(what)

    async def tidy(self) -> None:
        """Give the room of deleted mail back to the file system, and empty the WAL.

        Stops as soon as there is mail to be kept: each portion costs a few milliseconds.
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
    """What undoes a `put`, once it has been done."""
    return lambda transaction: erase(transaction, job.answer)


def _ours(body: IncomingBody) -> Incoming:
    if not isinstance(body, Incoming):
        raise TypeError("a body must come from this spool's incoming()")
    return body


def _connect(start: Start, folder: BodyFolder) -> tuple[Writer, Reader, Depositor]:
    def explain(error: BaseException, doing: str) -> BaseException:
        if is_damage(error):
            start.mark_damaged(str(error))
        return translated(error, doing, start.directory)

    def unlink(names: Sequence[str]) -> None:
        for name in names:
            folder.unlink(name)

    try:
        connection = start.open_database()
        try:
            start.match_bodies(connection, folder)
            depositor = Depositor(connection, folder)
            reading = start.disk.connect_to_read(start.database)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise explain(error, "be opened")  # noqa: B904 (it carries its cause)
    writer = Writer(connection, start.disk, explain, unlink)
    return writer, Reader(reading, explain), depositor
