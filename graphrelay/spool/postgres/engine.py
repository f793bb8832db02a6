"""The engine for several relays: one PostgreSQL database, which they share.

    accept, load_to_send, begin, finish ──▶ writer (group commit)
    take, read, rare changes ─────────────▶ the pool, a transaction each
    lanes ◀── leases ◀── renewals, and notifications of other relays

What happens often goes through the writer (writer.py). What a relay may do to a lane is decided by
its lease (leases.py). docs/several-hosts.md describes what is promised.

The tasks of the spool belong to one TaskGroup: if one of them fails, which only a bug can cause,
the caller of `open` is cancelled, and gets its exception. Other relays then take the lanes.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeVar
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
    StorageUnavailable,
    Submission,
)
from graphrelay.spool.changes import Change, Changed, Retry, Verdict
from graphrelay.spool.codec import EPOCH
from graphrelay.spool.contract import LaneWatcher, Report
from graphrelay.spool.errors import ENDED, ENDS, MailLost, NotQueued
from graphrelay.spool.housekeeping import again_and_again
from graphrelay.spool.postgres.acceptance import Acceptance
from graphrelay.spool.postgres.alerts import CommonAlerts
from graphrelay.spool.postgres.bodies import Pieces
from graphrelay.spool.postgres.connections import Connection, Connections
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.errors import translated
from graphrelay.spool.postgres.leases import LEASE, Leases
from graphrelay.spool.postgres.notifications import Notifications
from graphrelay.spool.postgres.opening import prepare
from graphrelay.spool.postgres.secrets import Secrets
from graphrelay.spool.postgres.statements import attempts, changes, drafts, due, prune, refusals
from graphrelay.spool.postgres.statements.divide import divide
from graphrelay.spool.postgres.statements.put import announce, made
from graphrelay.spool.postgres.statements.queries import answer
from graphrelay.spool.postgres.transactions import Transactions
from graphrelay.spool.postgres.writer import Writer
from graphrelay.spool.queries import Query
from graphrelay.spool.values import Batch, Divided, Refusal, Take
from graphrelay.task_group import unwrapped

T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
REQUEST_LIMIT = timedelta(seconds=230)
"""How long a request to Graph may take (graph/http/exchange.py): to connect, to send while nothing
stalls, and until the answer. Until then another relay's request counts as one in flight."""
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
        tasks: asyncio.TaskGroup,
        *,
        inline_limit: int,
        request_limit: timedelta,
        keep_messages: timedelta,
    ) -> None:
        process = connections.process
        self._connections = connections
        self._clock = clock
        self._database_clock = database_clock
        self._journal = journal
        self._leases = leases
        self._tasks = tasks
        self._request_limit = request_limit
        self._keep_messages = keep_messages
        self._watcher: LaneWatcher | None = None
        self._background: list[asyncio.Task[None]] = []
        self._transactions = Transactions(connections, tasks)
        self._writer = Writer(connections, process)
        self.secrets = Secrets(connections, process)
        self.alerts = CommonAlerts(connections, self._relay)
        self._notifications = Notifications(connections, leases, self.secrets, clock)
        pieces = Pieces(connections, lambda: leases.relay or process, inline_limit)
        self._acceptance = Acceptance(
            self._writer, self._transactions, leases, pieces, clock, database_clock, journal
        )
        self._loader = attempts.Loader(pieces, leases.term)
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
        host = host or socket.gethostname()
        leases = Leases(connections, clock, database_clock, journal, host, process, lease)
        await connections.open()
        try:
            with unwrapped():
                async with asyncio.TaskGroup() as tasks:
                    spool = cls(
                        connections,
                        clock,
                        database_clock,
                        journal,
                        leases,
                        tasks,
                        inline_limit=inline_limit,
                        request_limit=request_limit,
                        keep_messages=keep_messages,
                    )
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
            last = await prepare(self._connections, self._database_clock, self._journal)
            self._acceptance.go_on_from(last)
            if sends:
                await self.secrets.look()  # before anything reads them; later changes are notified
                await self._leases.join()
                await self._leases.round()
        except psycopg.Error as error:
            raise translated(error, "be opened", ENDS)  # noqa: B904 (it carries its cause)
        self._serving = self._tasks.create_task(self._writer.serve(), name="spool-writer")
        if sends:
            works = {
                "leases": self._leases.run(),
                "notifications": self._notifications.listen(),
                "poll": self._notifications.poll(),
            }
            self._background = [
                self._tasks.create_task(work, name=f"spool-{name}") for name, work in works.items()
            ]

    async def _end(self, *, sends: bool) -> None:
        """What was asked for is done, if the server lets it; then every lane is left."""
        for task in self._background:
            task.cancel()
        self._writer.close()
        ending = self._serving, *self._transactions.under_way
        await asyncio.wait(ending, timeout=FAREWELL)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, *self._background, return_exceptions=True)
        with suppress(psycopg.Error, TimeoutError):  # then the lease expires
            async with asyncio.timeout(FAREWELL):
                if sends:
                    await self._leases.end()
                await self._writer.forget()

    def watch(self, watcher: LaneWatcher) -> None:
        self._watcher = watcher
        self._leases.watch(watcher)
        self._notifications.watch(watcher)

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

    # Accepting --------------------------------------------------------------------------------

    def incoming(self) -> IncomingBody:
        return self._acceptance.incoming()

    async def accept(self, message: NewMessage, body: IncomingBody) -> tuple[Submission, ...]:
        return await self._acceptance.accept(message, body)

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

        one = await self._transactions.run(work, "load a message")
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
        lane = submission.plan.lane
        if not self._leases.alive() or self._leases.term(lane) != begun.term:
            self._transactions.afterwards(self._withdraw(begun, number))
            raise NotQueued(f"The lane {lane} may be another relay's by now.")
        return number

    async def _withdraw(self, begun: attempts.Beginning, number: int) -> None:
        """This relay stood still for longer than its lease: nothing may be sent any more. The mark
        goes, as soon as the server lets it: as long as the lane is this relay's, nobody else would
        settle it."""
        relay, lane = self._relay(), begun.submission.plan.lane
        while True:
            try:
                await self._transactions.run(
                    lambda c: attempts.withdraw(c, begun, number, relay), "withdraw an attempt"
                )
                break
            except StorageUnavailable:  # the leases report it
                await self._clock.sleep(_WITHDRAW_AGAIN)
        if self._watcher is not None:
            self._watcher.changed(lane)

    async def keep_draft(self, submission: Submission, progress: DraftProgress) -> None:
        term, relay = self._term(submission), self._relay()
        await self._transactions.run(
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
            await self._transactions.run(
                lambda c: self._divide(c, ending, following), "divide a message"
            )
            return ()
        ending = attempts.Ending(submission, term, attempt, following)
        if report is None:
            await self._writer.run(self._finish, ending)
            return ()

        async def finish_first(connection: Connection) -> bool:
            return await attempts.finish_one(connection, self._new_finish(), ending)

        return await self._acceptance.put_after(finish_first, report, "record an outcome")

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

        return await self._acceptance.put_after(take_back, instead, "merge messages")

    # Changes and queries ----------------------------------------------------------------------

    async def change(self, change: Change) -> Verdict:
        doing = "change the queue"
        verdict, new = await self._transactions.run(lambda c: self._change(c, change), doing)
        self._leases.made(new)
        return verdict

    async def _change(
        self, connection: Connection, change: Change
    ) -> tuple[Verdict, frozenset[Lane]]:
        clock = self._database_clock
        verdict = await changes.change(connection, change, self._clock.now(), clock)
        if not isinstance(verdict, Changed):
            return verdict, frozenset()
        lanes = {entry.lane for entry in verdict.submissions}
        new = await made(await announce(connection, self._leases, lanes), self._leases)
        if isinstance(change, Retry):
            await self._leases.ask_for_probes(connection, lanes)
        return verdict, new

    async def note_refusals(self, refused: Sequence[Refusal]) -> None:
        await self._transactions.run(lambda c: refusals.note(c, refused), "record what was refused")

    async def read(self, query: Query[T]) -> T:
        async def work(connection: Connection) -> T:
            found: T = await answer(
                connection,
                query,
                clock=self._database_clock,
                relay=self._relay(),
                request_limit=self._request_limit,
                commits=self._writer.commits,
            )
            return found

        return await self._connections.run(work, "answer a query")

    # Housekeeping -----------------------------------------------------------------------------

    async def keep_house(self, keep: timedelta) -> None:
        """Never returns: prunes the mail log, and sweeps what relays that have gone left."""
        run, forgotten = self._connections.run, EPOCH

        async def work() -> None:
            nonlocal forgotten
            since, done = forgotten, self._clock.now() - self._keep_messages
            while await run(lambda c: prune.forget_octets(c, since, done), "forget old messages"):
                pass
            forgotten = done
            before, doing = self._clock.now() - keep, "prune the mail log"
            while await run(lambda c: prune.prune(c, before), doing):
                pass
            await run(lambda c: refusals.prune(c, before), doing)
            await run(prune.sweep, "sweep")

        await again_and_again(work, IDLE, self._clock, self._journal)

    # What several of them need ----------------------------------------------------------------

    def _new_finish(self) -> attempts.Finish:
        keeps = self._keep_messages > timedelta(0)
        return attempts.Finish(self._relay, self._database_clock, keep_octets=keeps)

    def _relay(self) -> str:
        return self._leases.relay

    def _term(self, submission: Submission) -> int:
        """Of the lease under which it was loaded. What was just accepted into a lane that nobody
        had was loaded by that."""
        return submission.term or self._leases.term(submission.plan.lane)


_WITHDRAW_AGAIN = timedelta(seconds=1)
