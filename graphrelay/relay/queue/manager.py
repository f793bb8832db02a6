"""The one owner of what is in flight and of the order in which lanes send.

    accept ─▶ add ─┐
    retry_now ─────┤─▶ lane ─▶ serve ─▶ courier.carry (a task of its own) ─▶ answered ─▶ settle
    timer ─────────┘    ▲ │      ▲                                              │           │
              spool ────┘ ▼      ├──────────── its request makes room ──────────┘           │
              what is due?       └──────────── the disk knows what came of it ──────────────┘

A lane is served when something about it has changed: mail arrived, an attempt ended, its account
was authorized, or its alarm went off. The manager asks the spool what is due, a batch at a time, so
that memory does not grow with the queue. Lanes take turns, a message each.

The disk is authoritative. An administrator's verbs go to the spool first, which refuses them while
the message is in flight; only then the lane is changed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from graphrelay.clock import Clock, timeout
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Lane,
    NextState,
    Queued,
    QueueEntry,
    StorageUnavailable,
    Trouble,
)
from graphrelay.relay.deliver.courier import WITHOUT_DISK, Courier
from graphrelay.relay.deliver.result import (
    Answered,
    DeliveryResult,
    Finished,
    NotBegun,
    NotWaiting,
)
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.policy.budget import in_words
from graphrelay.relay.policy.decision import Feedback, Slower
from graphrelay.relay.policy.schedule import DeliveryPolicy, longest_wait
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.relay.queue.earlier_requests import EarlierRequests
from graphrelay.relay.queue.failover import HandOver
from graphrelay.relay.queue.lane import LaneQueue, NewlyPaused, Resumed, Stopped
from graphrelay.relay.queue.lane_view import LaneView, note_of, noted, view
from graphrelay.relay.queue.timer import Alarms
from graphrelay.retry_after import LONGEST_RETRY_AFTER
from graphrelay.spool.changes import Changed, Delete, Hold, Release, Retry, Verdict
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import Backlogs, InFlight, LaneNotes
from graphrelay.spool.values import Divided, Interrupted, LaneNote, Take

EMPTY_LANE = timedelta(minutes=1)
"""How long an empty lane keeps its connections."""


class QueueManager:
    """Lives in one event loop; all its methods are called there."""

    def __init__(
        self,
        spool: Spool,
        courier: Courier,
        clock: Clock,
        journal: Journal,
        policy: DeliveryPolicy,
        take_over: TakeOver | None = None,
    ) -> None:
        """Without `take_over` no account has a backup."""
        self._spool = spool
        self._courier = courier
        self._clock = clock
        self._journal = journal
        self._policy = policy
        self._longest_wait = longest_wait(policy, LONGEST_RETRY_AFTER)
        self._lanes: dict[Lane, LaneQueue] = {}
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        """Including attempts that are answered and not yet settled."""
        self._requests = 0
        self._asking: set[asyncio.Task[None]] = set()
        self._earlier = EarlierRequests(spool, clock, self._recover_one, self._counted)
        self._moving = HandOver(spool, take_over, self._lanes, journal, self._moved)
        self._ready: OrderedDict[Lane, None] = OrderedDict()
        """Lanes that may be able to start a message; they take turns, a message each."""
        self._alarms = Alarms(clock)
        self._budgets_told: set[Lane] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = False
        self._stop = asyncio.Event()
        self.recovered = asyncio.Event()
        """Set when `run` has settled what was in flight and has read all lanes."""

    # Life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send mail until `drain` has ended. To be called once; what was added before is kept."""
        self._spool.watch(self)
        async with asyncio.TaskGroup() as tasks:
            while not (self.recovered.is_set() or self._stop.is_set()):
                await self._recover_if_possible()
            self._tasks = tasks
            self._earlier.start(tasks)
            alarms = tasks.create_task(self._alarms.run(self._ring))
            self._ready.update(dict.fromkeys(self._lanes))
            self._serve()
            await self._stop.wait()
            self._tasks = None
            self._moving.cancel()
            self._earlier.cancel()
            for task in (alarms, *self._asking, *self._in_flight.values()):
                task.cancel()

    async def drain(self, limit: timedelta) -> bool:
        """Start nothing more; wait up to `limit` for what is in flight, then cancel it.

        Returns whether all of it ended. What was cancelled is on disk as begun, and is uncertain
        when the spool is opened again.
        """
        self._closing = True
        with suppress(StorageUnavailable):  # then the leases of its lanes expire by themselves
            await self._spool.retire()
        try:
            async with timeout(self._clock, limit):
                while carrying := self._carrying():
                    await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return False
        finally:
            self._stop.set()
        return not self._in_flight

    def _carrying(self) -> set[asyncio.Task[None]]:
        """Attempts under way, without those that were cancelled."""
        return {task for task in self._in_flight.values() if not task.done()}

    async def _recover_if_possible(self) -> None:
        try:
            await self._recover()
        except StorageUnavailable as error:
            self._journal.write(events.QueueNotRead(reason=str(error)))
            await self._clock.sleep(WITHOUT_DISK)
        else:
            self.recovered.set()

    async def _recover(self) -> None:
        """Take over what an earlier process left behind: first what was in flight, then the
        lanes.
        """
        for interrupted in await self._spool.read(InFlight()):
            if interrupted.settle_in:
                self._earlier.expect(interrupted.lane)
            else:
                await self._recover_one(interrupted)
        for lane in await self._spool.lanes():
            self._queue_of(lane).ask_again()

    async def _recover_one(self, interrupted: Interrupted) -> None:
        try:
            await self._courier.recover(interrupted)
        except StorageUnavailable:
            raise
        except NotQueued:  # the lane is another relay's by now, which settles it
            return
        except Exception as error:
            # A bug, which must not stop all other mail at each start.
            self._journal.write(
                events.AttemptBroke(
                    submission=interrupted.submission_id,
                    reason=repr(error),
                    next="it stays in flight until the next start",
                )
            )

    # Requests ------------------------------------------------------------------------------------

    def add(self, entries: Iterable[QueueEntry]) -> None:
        """Add mail that the spool has just accepted or released."""
        for one in entries:
            self._add(one)
        self._serve()

    def resume(self, account: str, why: str) -> None:
        """The account's authorization changed: lanes that wait for it send a probe."""
        for lane, queue in self._lanes.items():
            stopped_by_something_else = (
                isinstance(queue.state, Stopped)
                and queue.state.paused.trouble is not Trouble.AUTHORIZATION
            )
            if lane.account == account and not stopped_by_something_else:
                queue.look_now(self._clock.monotonic(), why)
            self._ready[lane] = None  # It may be the backup of others.
        self._moving.forget_what_stays()
        self._serve()

    def use_backups(self, backups: Backups) -> None:
        """Use other backup accounts from now on, also for lanes that are already paused."""
        if self._moving.use(backups):
            self._ready.update(dict.fromkeys(self._lanes))
            self._serve()

    # `called` is the queue id, where `which` is the spool's id.

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict:
        """Do not send a message until `release`."""
        verdict = await self._spool.change(Hold(which, reason))
        if isinstance(verdict, Changed):
            self._forget(verdict.submissions)
            self._journal.write(events.Held(called or str(which), reason))
        return verdict

    async def release(self, which: str | int, reason: str = "", called: str = "") -> Verdict:
        """Queue a held message, due immediately."""
        verdict = await self._spool.change(Release(which, reason))
        if isinstance(verdict, Changed):
            self._journal.write(events.Released(called or str(which), reason or None))
            self.add(verdict.submissions)
        return verdict

    async def retry_now(self, which: str | int, reason: str = "", called: str = "") -> Verdict:
        """Try a message immediately; its lane, if it is paused, sends a probe."""
        verdict = await self._spool.change(Retry(which, reason))
        if isinstance(verdict, Changed):
            self._journal.write(events.Retried(called or str(which), reason or None))
            for entry in verdict.submissions:
                if queue := self._lanes.get(entry.lane):
                    queue.look_now(self._clock.monotonic(), "A retry was asked for.")
            self.add(verdict.submissions)
        return verdict

    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict:
        """Remove a message from the queue permanently."""
        verdict = await self._spool.change(Delete(which, reason))
        if isinstance(verdict, Changed):
            self._forget(verdict.submissions)
            self._journal.write(events.Deleted(called or str(which), reason))
        return verdict

    async def lanes(self) -> list[LaneView]:
        """Every lane that has mail or trouble, here or at another relay that shares the queue.
        Raises `StorageUnavailable`."""
        backlogs = {one.lane: one for one in await self._spool.read(Backlogs())}
        notes = {one.lane: one for one in await self._spool.read(LaneNotes())}
        views = list[LaneView]()
        for lane in sorted(backlogs.keys() | notes.keys() | self._lanes.keys()):
            backlog = backlogs.get(lane)
            if lane in notes and not self._spool.sends(lane):
                views.append(noted(notes[lane], backlog))
            else:
                queue = self._lanes.get(lane) or self._new_queue(lane)
                views.append(view(queue, backlog, self._clock))
        return views

    def paused(self) -> set[Lane]:
        """The lanes that send nothing until an administrator or time ends their trouble."""
        return {lane for lane, queue in self._lanes.items() if isinstance(queue.state, Stopped)}

    @property
    def in_flight(self) -> int:
        """The number of attempts in all lanes."""
        return len(self._in_flight)

    # Sharing --------------------------------------------------------------------------------------

    def gained(self, lane: Lane) -> None:
        """The lane is this relay's from now on (`spool.contract.LaneWatcher`)."""
        self._earlier.expect(lane)

    def lost(self, lane: Lane) -> None:
        """Another relay sends its mail now. What is in flight here may end."""
        self._earlier.forget(lane)
        if queue := self._lanes.get(lane):
            queue.leave()
            self._ready[lane] = None
            self._serve()

    def changed(self, lane: Lane) -> None:
        """Mail may wait in the lane of which only the spool knows."""
        self._queue_of(lane).ask_again()
        self._ready[lane] = None
        self._serve()

    def probe(self, lane: Lane) -> None:
        """A retry was asked of another relay."""
        self._queue_of(lane).look_now(self._clock.monotonic(), "A retry was asked for.")
        self.changed(lane)

    def notes(self) -> Iterator[LaneNote]:
        """The lanes of this relay, for people who ask another one."""
        for lane, queue in self._lanes.items():
            if self._spool.sends(lane):
                yield note_of(view(queue, None, self._clock))

    def _counted(self, lane: Lane, others: int | None) -> None:
        """So many requests of the lane's earlier owner may still be running; `None` is unknown."""
        queue = self._queue_of(lane)
        queue.others = self._policy.concurrency_per_mailbox if others is None else others
        self.changed(lane)

    # Lanes ---------------------------------------------------------------------------------------

    def _queue_of(self, lane: Lane) -> LaneQueue:
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = self._new_queue(lane)
        return queue

    def _new_queue(self, lane: Lane) -> LaneQueue:
        return LaneQueue(lane, self._policy.concurrency_per_mailbox, self._policy.budgets)

    def _moved(self, entry: QueueEntry) -> None:
        self.add([entry])

    def _add(self, entry: QueueEntry) -> None:
        if not self._spool.sends(entry.lane):
            return
        queue = self._queue_of(entry.lane)
        if entry.not_before > entry.received_at and entry.not_before > self._clock.now():
            queue.expect(self._due_at(entry.not_before))
        else:
            queue.add(entry)
        self._moving.reconsider(entry)
        self._ready[entry.lane] = None

    def _due_at(self, not_before: datetime) -> timedelta:
        """Monotonic."""
        left = not_before - self._clock.now()
        return self._clock.monotonic() + min(max(left, timedelta(0)), self._longest_wait)

    def _forget(self, submissions: Iterable[QueueEntry]) -> None:
        for entry in submissions:
            if queue := self._lanes.get(entry.lane):
                queue.remove(entry.submission_id)

    # Starting ------------------------------------------------------------------------------------

    def _ring(self, lane: Lane) -> None:
        if lane in self._lanes:
            self._ready[lane] = None
            self._serve()

    def _serve(self) -> None:
        """Start whatever may start: a message of each ready lane in turn, repeatedly."""
        if self._tasks is None or self._closing:
            return
        now = self._clock.monotonic()
        while self._ready and self._requests < self._policy.concurrency:
            lane, _ = self._ready.popitem(last=False)
            queue = self._lanes.get(lane)
            if queue is None:
                continue  # it has left meanwhile
            if wanted := queue.wants(now, self._longest_wait):
                self._ask(queue, wanted, self._tasks)
            entry = queue.take(now)
            if entry is None:
                self._rest(queue, now)
                continue
            self._ready[lane] = None
            self._requests += 1
            task = self._tasks.create_task(self._carry(queue, entry))
            self._in_flight[entry.submission_id] = task

    def _ask(self, queue: LaneQueue, wanted: Take, tasks: asyncio.TaskGroup) -> None:
        task = tasks.create_task(self._fill(queue, wanted))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _fill(self, queue: LaneQueue, wanted: Take) -> None:
        """Ask the spool what is due in the lane."""
        asked_at = self._clock.monotonic()
        try:
            queue.fill(await self._spool.take(wanted), asked_at)
        except StorageUnavailable as error:
            queue.not_filled()
            self._apply(queue, Slower(str(error), WITHOUT_DISK))
        except Exception as error:
            # A bug, which must stop neither the daemon nor other lanes.
            self._journal.write(events.LaneNotRead(lane=str(queue.lane), reason=repr(error)))
            queue.not_filled()
            self._apply(queue, Slower(repr(error), self._wait_after(error)))
        self._ready[queue.lane] = None
        self._serve()

    def _rest(self, queue: LaneQueue, now: timedelta) -> None:
        """Nothing can start in the lane: wake it when that may change with time."""
        if queue.is_empty:
            self._rest_empty(queue, now)
            return
        if (at := queue.wakes_at(now)) is not None:
            self._alarms.set(queue.lane, at)
            self._tell_budget(queue, now)
        if self._tasks is not None:
            self._moving.start_if_paused(queue, now, self._tasks)

    def _rest_empty(self, queue: LaneQueue, now: timedelta) -> None:
        """Close its connections after a while, and forget the lane once it has no state left."""
        at = max(now, queue.empty_since + EMPTY_LANE)
        if at == now:
            self._courier.leave(queue.lane)
            at = queue.forgets_at(now)
        if at > now:
            self._alarms.set(queue.lane, at)
        else:
            del self._lanes[queue.lane]
            self._budgets_told.discard(queue.lane)

    def _tell_budget(self, queue: LaneQueue, now: timedelta) -> None:
        """Report once that a budget delays mail, and again only after it did not."""
        exhausted = queue.budget.exhausted(now)
        if not exhausted:
            self._budgets_told.discard(queue.lane)
        elif queue.lane not in self._budgets_told:
            self._budgets_told.add(queue.lane)
            until = self._clock.now() + (queue.budget.free_at(now) - now)
            self._journal.write(
                events.BudgetUsedUp(
                    account=queue.lane.account,
                    mailbox=queue.lane.mailbox,
                    reason=in_words(exhausted),
                    until=until,
                )
            )

    async def _carry(self, queue: LaneQueue, entry: QueueEntry) -> None:
        answered = partial(self._answered, queue, entry)
        carried: DeliveryResult | timedelta
        try:
            carried = await self._courier.carry(entry, answered)
        except Exception as error:
            # A bug, which must stop neither the daemon nor other mail.
            self._journal.write(
                events.AttemptBroke(submission=entry.submission_id, reason=repr(error))
            )
            self._apply(queue, Slower(repr(error)))
            carried = self._wait_after(error)
        self._settle(queue, entry, carried)

    def _answered(self, queue: LaneQueue, entry: QueueEntry, answered: Answered) -> None:
        """The request has ended; its outcome is written to disk while the next request is sent."""
        self._make_room(queue, entry)
        queue.budget.spend(answered.spent, self._clock.monotonic())
        self._apply(queue, answered.feedback)
        self._ready[queue.lane] = None
        self._serve()

    def _make_room(self, queue: LaneQueue, entry: QueueEntry) -> None:
        if queue.answered(entry.submission_id):
            self._requests -= 1

    def _wait_after(self, error: Exception) -> timedelta:
        """A bug is likely to show again; memory may be there in a moment."""
        return WITHOUT_DISK if isinstance(error, MemoryError) else self._policy.retry_max

    def _settle(
        self, queue: LaneQueue, entry: QueueEntry, carried: DeliveryResult | timedelta
    ) -> None:
        """With how long it is set aside where an error broke the attempt."""
        del self._in_flight[entry.submission_id]
        self._make_room(queue, entry)
        queue.done(entry.submission_id, self._clock.monotonic())
        match carried:
            case Finished(following, besides):
                self._follow(queue, entry, following)
                for one in besides:
                    self._add(one)
            case NotBegun(feedback):
                queue.ask_again()
                self._apply(queue, feedback)
            case NotWaiting():
                queue.ask_again()
            case timedelta():
                queue.set_aside(entry, self._clock.monotonic() + carried)
        self._ready[queue.lane] = None
        self._serve()

    def _follow(self, queue: LaneQueue, entry: QueueEntry, following: NextState | Divided) -> None:
        match following:
            case Queued(not_before):
                queue.expect(self._due_at(not_before))
                self._moving.reconsider(entry)
            case Divided():
                queue.ask_again()
                self._moving.reconsider(entry)
            case _:
                pass

    def _apply(self, queue: LaneQueue, feedback: Feedback) -> None:
        match queue.apply(feedback, self._clock.monotonic()):
            case NewlyPaused(paused, wait):
                self._journal.write(events.Paused(queue.lane, paused, self._clock.now() + wait))
            case Resumed(why):
                self._moving.forget_what_stays(queue.lane)
                self._journal.write(events.Resumed(queue.lane, why))
