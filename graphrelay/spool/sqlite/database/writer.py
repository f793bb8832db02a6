"""The one thread that writes: group commit.

    callers ── Work ──▶ queue ──▶ [ BEGIN  work work work …  COMMIT ] ──▶ all callers, at once
                                    one thread, one connection

While one transaction is being synced, the next callers queue up and then share a commit. No caller
returns before the commit has. The event loop is woken once for each transaction, not for each
caller. A transaction in which nothing has to survive the machine is not synced.

If anything in a shared transaction fails, all of it is rolled back and each `Work` is repeated in
its own transaction: so one caller's failure never affects another, and the usual case needs no
savepoints. A `Work` may therefore run twice, and must only read and write through the transaction
that is passed to it.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from graphrelay.durations import STORAGE, Durations
from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.files.disk import Disk

T = TypeVar("T")
V = TypeVar("V")

MOST_AT_ONCE = 500
"""Keeps a transaction to a few megabytes, however many callers wait."""


@dataclass(slots=True)
class DatabaseTransaction:
    """What a `Work` reads and writes through."""

    connection: sqlite3.Connection
    files_to_unlink: list[str] = field(default_factory=list)
    """Names of body files that are no longer referred to once this is committed."""


Work = Callable[[DatabaseTransaction], T]


@dataclass(frozen=True, slots=True)
class Shared(Generic[V, T]):
    """A `Work` that is cheaper when done for many at once: `do_all` gets the values of all that
    share a transaction, and returns the results in their order."""

    do_all: Callable[[DatabaseTransaction, list[V]], list[T]]
    value: V


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """A `Work` in the queue; `answer` or `error` is set when it has been done."""

    work: Work[T] | Shared[Any, T]
    doing: str
    future: asyncio.Future[T]
    alone: bool = False
    synced: bool = True
    answer: T | None = None
    error: BaseException | None = None


class Writer:
    """Owns the connection that writes. `run` may be called from the loop that was passed to
    `start`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        disk: Disk,
        translated: Callable[[BaseException, str], BaseException],
        unlink: Callable[[list[str]], None],
    ) -> None:
        self._connection = connection
        self._disk = disk
        self._translated = translated
        self._unlink = unlink
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="spool-writer", daemon=True)
        self._open = False
        self._syncs = True
        """Whether the connection syncs its commits."""
        self._doubtful: deque[str] = deque()
        self.commits = Durations(STORAGE)
        self.changes = 0
        """The number of committed transactions that wrote: shows whether anything has happened."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._thread.start()

    async def run(self, work: Work[T] | Shared[Any, T], doing: str) -> T:
        """The result of `work`, after the commit.

        If the caller is cancelled, the work is done all the same.
        """
        return await self.submit(work, doing).future

    async def run_unsynced(self, work: Work[T], doing: str) -> T:
        """As `run`, but the commit is only sure to survive the end of this process, and not that of
        the machine, until the next one that is synced. The work must leave no file to unlink."""
        return await self.submit(work, doing, synced=False).future

    async def run_alone(self, work: Work[T], doing: str) -> T:
        """As `run`, but outside of a transaction: for what SQLite does not do in one."""
        return await self.submit(work, doing, alone=True).future

    def submit(
        self,
        work: Work[T] | Shared[Any, T],
        doing: str,
        *,
        alone: bool = False,
        synced: bool = True,
    ) -> Job[T]:
        """As `run`, for a caller that needs the job itself.

        In a transaction, shared works are done first, then the others in this order.
        """
        if not self._open:
            raise StorageUnavailable(f"The spool could not {doing}: it is closed.")
        job = Job(work, doing, self._loop.create_future(), alone, synced)
        self._jobs.put(job)
        return job

    def unlink_after_next_commit(self, name: str) -> None:
        """For the body of a transaction whose commit failed while it was being synced.

        Its frames may be complete in the WAL, so a crash now could restore the row, which must then
        have its body. The next synced commit overwrites the frames; then the file may be deleted.
        """
        self._doubtful.append(name)

    async def close(self) -> None:
        """Completes all work that was submitted, then closes the connection."""
        if not self._open:
            return
        self._open = False
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    # In the thread -------------------------------------------------------------------------------

    def _serve(self) -> None:
        closing = False
        while not closing:
            batch = [self._jobs.get()]
            while len(batch) < MOST_AT_ONCE and not self._jobs.empty():
                batch.append(self._jobs.get())
            closing = batch[-1] is None
            jobs = [job for job in batch if job is not None]
            together = [job for job in jobs if not job.alone]
            if together:
                self._together(together)
            for job in jobs:
                if job.alone:
                    self._alone(job)
            if jobs:
                self._loop.call_soon_threadsafe(answer, jobs)
        self._connection.close()

    def _together(self, jobs: list[Job[Any]]) -> None:
        try:
            self._transact(jobs)
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._together([job])
            else:
                self._failed(jobs[0], error)

    def _alone(self, job: Job[Any]) -> None:
        try:
            _do(DatabaseTransaction(self._connection), [job])
        except Exception as error:
            self._failed(job, error)

    def _failed(self, job: Job[Any], error: Exception) -> None:
        """Nothing may end this thread: callers would wait forever."""
        job.answer = None  # from the first time, when it was one of many
        try:
            job.error = self._translated(error, job.doing)
        except Exception as mistake:
            job.error = mistake

    def _transact(self, jobs: list[Job[Any]]) -> None:
        transaction = DatabaseTransaction(self._connection)
        before, doubtful = self._connection.total_changes, len(self._doubtful)
        synced = any(job.synced for job in jobs)
        if synced != self._syncs:
            self._syncs = False  # whatever happens now
            self._disk.sync_commits(self._connection, synced)
            self._syncs = synced
        try:
            self._disk.begin(self._connection)
            _do(transaction, jobs)
            with self.commits.measured() if synced else nullcontext():
                self._disk.commit(self._connection)
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        self._unlink(transaction.files_to_unlink)
        if self._connection.total_changes > before:
            self.changes += 1
            if synced:
                self._unlink([self._doubtful.popleft() for _ in range(doubtful)])


def _do(transaction: DatabaseTransaction, jobs: list[Job[Any]]) -> None:
    shared: dict[Any, list[Job[Any]]] = {}
    single = []
    for job in jobs:
        if isinstance(job.work, Shared):
            shared.setdefault(job.work.do_all, []).append(job)
        else:
            single.append((job, job.work))
    for do_all, sharing in shared.items():
        values = [job.work.value for job in sharing if isinstance(job.work, Shared)]
        for job, answer in zip(sharing, do_all(transaction, values), strict=True):
            job.answer = answer
    for job, work in single:
        job.answer = work(transaction)


def answer(jobs: list[Job[Any]]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled
            continue
        if job.error is None:
            job.future.set_result(job.answer)
        else:
            job.future.set_exception(job.error)
