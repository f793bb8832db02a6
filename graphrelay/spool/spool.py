"""The mail that we own: the one owner of everything on disk.

    put ─────▶ queued ──begin_attempt──▶ in flight ──finish_attempt──▶ queued, held or done

Each verb is one transaction on the writer's thread (writer.py); when a call returns, what it did
is on the disk. Reading for people goes through a second connection that cannot write. What each
state looks like on the disk, and what a crash leaves of it, is told in docs/spool.md.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.model import (
    Attempt,
    IncomingBody,
    NewMessage,
    Next,
    StorageUnavailable,
    Submission,
    Waiting,
)
from graphrelay.spool import attempts, check, history, verbs
from graphrelay.spool.bodies import BodyFolder, Incoming
from graphrelay.spool.codec import moment
from graphrelay.spool.deposit import Deposit, Depositor, erase
from graphrelay.spool.disk import Disk
from graphrelay.spool.errors import MailLost, is_damage, is_full, translated
from graphrelay.spool.prune import Prune, empty_wal, free_pages, give_pages_back
from graphrelay.spool.reader import Reader
from graphrelay.spool.schema import Migration, migrations
from graphrelay.spool.start import Start
from graphrelay.spool.values import (
    Interrupted,
    LogFilter,
    LogRow,
    MessageHistory,
    QueueFilter,
    QueueRow,
    Stats,
    Verdict,
)
from graphrelay.spool.writer import Job, Shared, Work, Writer

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
    ) -> AsyncIterator["Spool"]:
        """Own the spool in `directory`, made if need be, until the context ends.

        Bodies up to `inline_limit` octets stand in the database; new mail is refused when the disk
        has less than `reserve` left. Raises `SpoolInUse`, `SpoolTooNew`, `StorageUnavailable`.
        """
        disk = disk or Disk()
        start = Start(
            directory, disk, clock, journal, steps or migrations(), asyncio.get_running_loop()
        )
        folder = BodyFolder(directory / "bodies", disk, inline_limit=inline_limit, reserve=reserve)
        lock = await asyncio.to_thread(start.own)
        try:
            writer, reader, depositor = await asyncio.to_thread(_connect, start, folder)
            try:
                writer.start()
                yield cls(start, folder, writer, reader, depositor)
            finally:
                await reader.close()
                await writer.close()
        finally:
            folder.close()
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
        if not isinstance(body, Incoming):
            raise TypeError("a body must come from this spool's incoming()")
        stored = await body.store()
        deposit = Deposit(message, stored, self._clock.now())
        job = self._writer.submit(Shared(self._depositor.put, deposit), "take a message")
        try:
            submissions = await job.future
        except StorageUnavailable as error:
            await self._give_up(body, error)
            raise
        except asyncio.CancelledError:
            await self._take_back(body, job)
            raise
        body.hand_over()
        return submissions

    async def _give_up(self, body: Incoming, error: StorageUnavailable) -> None:
        if error.__cause__ is not None and not is_full(error.__cause__):
            name = body.abandon()
            if name:
                self._writer.unlink_after_next_commit(name)
        await body.discard()

    async def _take_back(self, body: Incoming, job: Job[tuple[Submission, ...]]) -> None:
        """The caller of `put` was cancelled: what its work has done, the next one undoes."""
        undo = self._writer.submit(lambda transaction: erase(transaction, job.answer), "forget it")
        while not undo.future.done():
            with suppress(asyncio.CancelledError):  # cancelled already: `put` raises it
                await asyncio.wait([undo.future])
        if undo.future.exception() is not None:
            self._journal.warning("spool-cancelled-put-kept", reason=str(undo.future.exception()))
        if isinstance(job.error, StorageUnavailable):
            await self._give_up(body, job.error)
        else:
            body.hand_over()

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
            self._journal.held(found.queue_id, found.reason)
            raise MailLost(f"{found.queue_id} is held. {found.reason}")
        return found

    async def begin_attempt(
        self, submission_id: int, started_at: datetime, client_request_id: str
    ) -> int:
        """The mark on the disk before a request goes out; the attempt's number, from 1.

        Raises `NotQueued` when it is held, done or in flight.
        """
        begin = attempts.Begin(submission_id, started_at, client_request_id)
        return await self._run(begin, "record an attempt")

    async def finish_attempt(self, submission_id: int, attempt: Attempt, next: Next) -> None:
        """The outcome and what follows, in one transaction. When the last part of a message is
        `Done`, its octets go. Calling it again for the same attempt changes nothing.

        Raises `NotQueued` when no such attempt was begun.
        """
        await self._run(attempts.Finish(submission_id, attempt, next), "record an outcome")

    # What a person does ----------------------------------------------------------------------

    async def hold(self, which: str | int, reason: str) -> Verdict:
        """Keep it from going out, by queue id or submission id."""
        return await self._run(verbs.hold(which, reason, self._clock.now()), "hold a message")

    async def release(self, which: str | int, not_before: datetime) -> Verdict:
        """Let what was held go on."""
        verb = verbs.release(which, not_before, self._clock.now())
        return await self._run(verb, "release a message")

    async def retry_now(self, which: str | int, not_before: datetime) -> Verdict:
        """Try what is queued at `not_before` instead of when it would be due."""
        verb = verbs.retry(which, not_before, self._clock.now())
        return await self._run(verb, "retry a message")

    async def delete(self, which: str | int, reason: str) -> Verdict:
        """Take it out of the queue for good; the mail log keeps what it was, and `reason`."""
        return await self._run(verbs.delete(which, reason, self._clock.now()), "delete a message")

    # Reading ---------------------------------------------------------------------------------

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
        if self._start.database_size() > check.AT_ONCE:
            await self.verify()
        looked, tidied = self._writer.changes, -1
        while True:
            await self._clock.sleep(IDLE)
            try:
                if await self.prune(keep) == 0 and looked == self._writer.changes != tidied:
                    await self.tidy()
                    tidied = self._writer.changes
            except StorageUnavailable as error:
                self._journal.warning("spool-housekeeping", reason=str(error))
            looked = self._writer.changes

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
