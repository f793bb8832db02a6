"""Group commit: what waits while one transaction is being committed shares the next.

    callers ── Job ──▶ queue ──▶ [ BEGIN  statement for all of a kind, …, in one pipeline ] COMMIT

Each kind of work is a few statements for many values at once, so a transaction is two round trips
to the server, however many callers share it. If anything fails, all of it is rolled back and each
job is tried in a transaction of its own: one caller's failure never fails another.

**An answer that is lost.** When the connection breaks during COMMIT, nobody knows what became of
it. So each transaction first writes its number into the row of the process in `commits`, and the
writer looks there before it does anything else: the row's lock waits for the old session to end.
It looks until the server can say it. If the server says that it never will (the table is gone), the
relay ends: to try again might take a message twice, to report a failure might lose track of one.
A caller that cannot wait so long (`give_up`) gets the answer that nothing was kept, and what turns
out to have been kept is taken back.
"""

# ruff: noqa: S608 (our own words; values are bound)

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import psycopg

from graphrelay.durations import STORAGE, Durations
from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import FateUnknown
from graphrelay.spool.postgres.connections import Connection, Connections
from graphrelay.spool.postgres.database_clock import NOW
from graphrelay.spool.postgres.errors import CONFLICTS, connection_lost, passes, translated

V = TypeVar("V")
R = TypeVar("R")
V_contra = TypeVar("V_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

MOST_AT_ONCE = 200
LOOK_AGAIN = 0.5
"""Seconds until the server is asked again what became of a transaction."""
TRIES = 5
"""How often a transaction is tried that got into another relay's way."""

Cursors = Sequence[psycopg.AsyncCursor[Any]]


class Kind(Protocol[V_contra, R_co]):
    """What is done for many callers at once."""

    doing: str
    """In words, for an error."""

    def key(self, value: V_contra) -> object:
        """Two values with the same key do not share a transaction; `None` shares with all."""
        ...

    async def send(self, connection: Connection, values: Sequence[V_contra]) -> Cursors:
        """Execute the statements, in a pipeline: nothing can be fetched yet."""
        ...

    async def answers(
        self, cursors: Cursors, values: Sequence[V_contra]
    ) -> Sequence[R_co | BaseException]:
        """One for each value, in their order; an exception is for its caller alone."""
        ...


@dataclass(slots=True, eq=False)
class Job(Generic[V, R]):
    """A value on its way through the queue."""

    kind: Kind[V, R]
    value: V
    future: asyncio.Future[R]
    begun: bool = False
    given_up: Callable[[R], Awaitable[None]] | None = None
    """Takes it back, where its caller got the answer that it was not done."""


def _answered(future: asyncio.Future[Any]) -> None:
    """Mark the exception as seen: where the caller has been cancelled, nobody gets it, and asyncio
    would write a traceback to the journal."""
    if not future.cancelled():
        future.exception()


def _closed(doing: str) -> StorageUnavailable:
    return StorageUnavailable(f"The spool could not {doing}: it is closed.")


class Writer:
    """Owns the queue of jobs. Lives in one event loop."""

    def __init__(self, connections: Connections, process: str) -> None:
        self._connections = connections
        self._process = process
        self._jobs: deque[Job[Any, Any]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._number = 0
        self.commits = Durations(STORAGE)

    # For callers ------------------------------------------------------------------------------

    def submit(self, kind: Kind[V, R], value: V) -> Job[V, R]:
        """Raises `StorageUnavailable` where the spool is closed."""
        if self._closing:
            raise _closed(kind.doing)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_answered)
        job = Job(kind, value, future)
        self._jobs.append(job)
        self._wake.set()
        return job

    async def run(self, kind: Kind[V, R], value: V) -> R:
        """The answer, after the commit. A caller that is cancelled does not stop the work."""
        return await asyncio.shield(self.submit(kind, value).future)

    def give_up(self, job: Job[V, R], take_back: Callable[[R], Awaitable[None]]) -> None:
        """Its caller waits no longer: it is not to be done, or taken back."""
        if job.begun:
            job.given_up = take_back
        else:
            self._jobs.remove(job)

    # The task ---------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Until `close`; then everything that was asked for has been done. If it ends before, what
        waits fails."""
        batch = list[Job[Any, Any]]()
        try:
            while self._jobs or not self._closing:
                if not self._jobs:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                batch = self._next()
                await self._together(batch)
        finally:
            self._closing = True
            for job in (*batch, *self._jobs):
                if not job.future.done():
                    job.future.set_exception(_closed(job.kind.doing))

    def close(self) -> None:
        self._closing = True
        self._wake.set()

    async def forget(self) -> None:
        """Nobody will ask any more what was committed here. Raises `psycopg.Error`."""
        async with self._connections.one() as connection:
            await connection.execute("DELETE FROM commits WHERE process = %s", (self._process,))

    def _next(self) -> list[Job[Any, Any]]:
        """What shares a transaction: of each key one."""
        batch, later, keys = list[Job[Any, Any]](), list[Job[Any, Any]](), set[object]()
        while self._jobs and len(batch) < MOST_AT_ONCE:
            job = self._jobs.popleft()
            key = job.kind.key(job.value)
            if key is not None and key in keys:
                later.append(job)
                continue
            keys.add(key)
            job.begun = True
            batch.append(job)
        self._jobs.extendleft(reversed(later))
        return batch

    async def _together(self, jobs: list[Job[Any, Any]]) -> None:
        try:
            answers = await self._transact(jobs)
        except FateUnknown:
            raise
        except Exception as error:
            if len(jobs) > 1 and not connection_lost(error):
                for job in jobs:
                    await self._together([job])
                return
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(translated(error, job.kind.doing))
            return
        for job, answer in zip(jobs, answers, strict=True):
            await self._answer(job, answer)

    async def _answer(self, job: Job[Any, Any], answer: Any) -> None:
        failed = isinstance(answer, BaseException)
        if job.given_up is not None and not failed:
            await job.given_up(answer)
        if job.future.done():  # its caller has gone
            return
        if failed:
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)

    async def _transact(self, jobs: list[Job[Any, Any]]) -> list[Any]:
        tries = TRIES
        while True:
            tries -= 1
            try:
                return await self._transact_once(jobs)
            except CONFLICTS:
                if not tries:
                    raise

    async def _transact_once(self, jobs: list[Job[Any, Any]]) -> list[Any]:
        self._number += 1
        answers: list[Any] = []
        committing = False
        try:
            async with self._connections.one() as connection:
                await self._execute(connection, jobs, answers)
                committing = True
                with self.commits.measured():
                    await connection.execute("COMMIT")
        except psycopg.Error as error:
            if not (committing and connection_lost(error)):
                raise
            if not await self._was_committed():
                raise
        return answers

    async def _execute(
        self, connection: Connection, jobs: list[Job[Any, Any]], answers: list[Any]
    ) -> None:
        kinds: dict[Any, list[int]] = {}
        for place, job in enumerate(jobs):
            kinds.setdefault(job.kind, []).append(place)
        answers += [None] * len(jobs)
        try:
            sent = []
            async with connection.pipeline():
                await connection.execute("BEGIN")
                await connection.execute(_NUMBER, (self._number, self._process))
                for kind, places in kinds.items():
                    values = [jobs[place].value for place in places]
                    sent.append((kind, places, values, await kind.send(connection, values)))
            for kind, places, values, cursors in sent:
                for place, answer in zip(places, await kind.answers(cursors, values), strict=True):
                    answers[place] = answer
        except BaseException:
            if not connection.closed:
                await connection.execute("ROLLBACK")
            raise

    async def _was_committed(self) -> bool:
        """What became of the last transaction, once the server can be asked. Raises
        `FateUnknown`."""
        while True:
            try:
                async with self._connections.one() as connection:
                    found = await connection.execute(_LAST, (self._process,))
                    row = await found.fetchone()
                    return row is not None and row[0] == self._number
            except psycopg.Error as error:
                if not passes(error):
                    raise FateUnknown(error.diag.message_primary or error) from error
                await asyncio.sleep(LOOK_AGAIN)


FIRST = f"""INSERT INTO commits (process, number, at) VALUES (%s, 0, {NOW})
    ON CONFLICT DO NOTHING"""
"""The row of a process, so that there is one to wait for."""
_NUMBER = f"UPDATE commits SET number = %s, at = {NOW} WHERE process = %s"
_LAST = "SELECT number FROM commits WHERE process = %s FOR UPDATE"
