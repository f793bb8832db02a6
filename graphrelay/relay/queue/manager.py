"""The one owner of what is in flight and of what waits its turn.

    put ─▶ add ─┐
    retry_now ──┤─▶ lane ─▶ serve ─▶ courier.carry (a task of its own) ─▶ answered ─▶ settle
    alarm ──────┘            ▲ ▲                                             │           │
                             │ └──────────── its request makes room ─────────┘           │
                             └──────────── the disk knows what came of it ───────────────┘

Nothing polls. A lane is looked at when something about it has changed: mail came, an attempt
ended, its account was authorized, or the alarm that was set for it rang. Lanes take turns, a
message each. Memory holds a few words for each message that waits, and never a body.

What is on the disk counts. Verbs of people go to the spool first, which refuses them while the
message is on its way; only then the lane follows.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from graphrelay.clock import Clock, timeout
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Lane,
    Queued,
    StorageUnavailable,
    Trouble,
    Waiting,
)
from graphrelay.relay.deliver.courier import WITHOUT_DISK, Attempts, Courier
from graphrelay.relay.deliver.result import Answered, DeliveryResult, Finished, NotBegun, NotWaiting
from graphrelay.relay.policy.budget import in_words
from graphrelay.relay.policy.decision import Effect, Slower
from graphrelay.relay.policy.schedule import DeliveryPolicy, longest_wait
from graphrelay.relay.queue.backup import Backups, TakeOver
from graphrelay.relay.queue.failover import HandOver
from graphrelay.relay.queue.lane import LaneQueue, NewlyPaused, Resumed, Stopped
from graphrelay.relay.queue.lane_view import LaneView, view
from graphrelay.relay.queue.timer import Alarms
from graphrelay.retry_after import LONGEST_RETRY_AFTER
from graphrelay.spool.values import Changed, Interrupted, Verdict

AT_A_TIME = 500
"""Messages that are put in place before others get a turn of the event loop."""
EMPTY_LANE = timedelta(minutes=1)
"""How long an empty lane keeps its connections."""


class QueueSpool(Attempts, Protocol):
    """What the QueueManager needs of the spool."""

    async def interrupted(self) -> list[Interrupted]: ...

    async def waiting(self) -> list[Waiting]: ...

    async def hold(self, which: str | int, reason: str) -> Verdict: ...

    async def release(
        self, which: str | int, not_before: datetime, reason: str = ""
    ) -> Verdict: ...

    async def retry_now(
        self, which: str | int, not_before: datetime, reason: str = ""
    ) -> Verdict: ...

    async def delete(self, which: str | int, reason: str) -> Verdict: ...


class QueueManager:
    """Lives in one event loop; all its methods are called there."""

    def __init__(
        self,
        spool: QueueSpool,
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
        """With what is answered, and not yet settled."""
        self._requests = 0
        self._moving = HandOver(take_over, self._lanes, journal, self._take_back)
        """What is on its way from one lane to another, and stands in none."""
        self._again: dict[int, Waiting] = {}
        """What was added while it was in flight or moving; it counts only if no attempt was made,
        or it was not moved."""
        self._ready: OrderedDict[Lane, None] = OrderedDict()
        """Lanes that may be able to start something; they take turns, a message each."""
        self._alarms = Alarms(clock)
        self._budgets_told: set[Lane] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = False
        self._stop = asyncio.Event()
        self.recovered = asyncio.Event()
        """Set when `run` has put everything that waited on the disk in its place."""

    # Life -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry mail until `drain` has ended. To be called once; what was added before is kept."""
        async with asyncio.TaskGroup() as tasks:
            while not (self.recovered.is_set() or self._stop.is_set()):
                await self._recover_if_possible()
            self._tasks = tasks
            alarms = tasks.create_task(self._alarms.run(self._ring))
            self._ready.update(dict.fromkeys(self._lanes))
            self._serve()
            await self._stop.wait()
            self._tasks = None
            self._moving.cancel()
            for task in (alarms, *self._in_flight.values()):
                task.cancel()

    async def drain(self, limit: timedelta) -> bool:
        """Start nothing more; give what is in flight `limit` to end, then cut it off.

        Whether all of it ended. What was cut off stands on the disk as begun, and is uncertain
        when the spool is opened again.
        """
        self._closing = True
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
        """Without those that were cut off, of which nothing more will be heard."""
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
        """What a process that died left behind: first what was on its way, then what waits."""
        for interrupted in await self._spool.interrupted():
            await self._recover_one(interrupted)
        everything = await self._spool.waiting()
        for start in range(0, len(everything), AT_A_TIME):
            for waiting in everything[start : start + AT_A_TIME]:
                self._place(waiting)
            await asyncio.sleep(0)

    async def _recover_one(self, interrupted: Interrupted) -> None:
        try:
            await self._courier.recover(interrupted)
        except StorageUnavailable:
            raise
        except Exception as error:
            # A mistake of ours, which must not keep all other mail from going out at each start.
            self._journal.write(
                events.AttemptBroke(
                    submission=interrupted.submission_id,
                    reason=repr(error),
                    next="it stays in flight until the next start",
                )
            )

    # What is asked ----------------------------------------------------------------------------

    def add(self, waiting: Iterable[Waiting]) -> None:
        """Mail that the spool has just taken, or let go on."""
        for one in waiting:
            self._place(one)
            self._ready[one.lane] = None
        self._serve()

    def resume(self, account: str, why: str) -> None:
        """The account's authorization changed: lanes that wait for it send a message to look."""
        for lane, queue in self._lanes.items():
            stopped_by_something_else = (
                isinstance(queue.state, Stopped)
                and queue.state.paused.trouble is not Trouble.AUTHORIZATION
            )
            if lane.account == account and not stopped_by_something_else:
                queue.look_now(self._clock.monotonic(), why)
            self._ready[lane] = None  # Others may have it as their backup.
        self._moving.forget_what_stays()
        self._serve()

    def use_backups(self, backups: Backups) -> None:
        """Other accounts stand in from now on, also for lanes that are paused already."""
        if self._moving.use(backups):
            self._ready.update(dict.fromkeys(self._lanes))
            self._serve()

    # `called` is what people know a message by, where `which` is the spool's number.

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict:
        """Keep a message from going out until `release`."""
        verdict = await self._spool.hold(which, reason)
        if isinstance(verdict, Changed):
            self._forget(verdict.submissions)
            self._journal.write(events.Held(called or str(which), reason))
        return verdict

    async def release(self, which: str | int, reason: str = "", called: str = "") -> Verdict:
        """Let a held message go on, at once."""
        verdict = await self._spool.release(which, self._clock.now(), reason)
        if isinstance(verdict, Changed):
            self._journal.write(events.Released(called or str(which), reason or None))
            self.add(verdict.submissions)
        return verdict

    async def retry_now(self, which: str | int, reason: str = "", called: str = "") -> Verdict:
        """Try a message at once; its lane, if it is paused, looks whether it still must be."""
        verdict = await self._spool.retry_now(which, self._clock.now(), reason)
        if isinstance(verdict, Changed):
            self._journal.write(events.Retried(called or str(which), reason or None))
            for waiting in verdict.submissions:
                if queue := self._lanes.get(waiting.lane):
                    queue.look_now(self._clock.monotonic(), "A retry was asked for.")
            self.add(verdict.submissions)
        return verdict

    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict:
        """Take a message out of the queue for good."""
        verdict = await self._spool.delete(which, reason)
        if isinstance(verdict, Changed):
            self._forget(verdict.submissions)
            self._journal.write(events.Deleted(called or str(which), reason))
        return verdict

    def lanes(self) -> list[LaneView]:
        """Every lane that has mail or trouble."""
        return [view(queue, self._clock) for _, queue in sorted(self._lanes.items())]

    @property
    def in_flight(self) -> int:
        """Over all lanes."""
        return len(self._in_flight)

    # Placing ----------------------------------------------------------------------------------

    def _place(self, waiting: Waiting) -> None:
        if waiting.submission_id in self._in_flight or waiting.submission_id in self._moving:
            self._again[waiting.submission_id] = waiting
            return
        queue = self._lanes.get(waiting.lane)
        if queue is None:
            most, limits = self._policy.concurrency_per_mailbox, self._policy.budgets
            queue = LaneQueue(waiting.lane, most, limits)
            self._lanes[waiting.lane] = queue
        left = waiting.not_before - self._clock.now()
        wait = min(max(left, timedelta(0)), self._longest_wait)
        now = self._clock.monotonic()
        queue.put(waiting, now, now + wait)

    def _take_back(self, waiting: Waiting, moved: Waiting | None) -> None:
        again = self._again.pop(waiting.submission_id, None)
        self.add([moved or again or waiting])

    def _forget(self, submissions: Iterable[Waiting]) -> None:
        for waiting in submissions:
            self._again.pop(waiting.submission_id, None)
            if queue := self._lanes.get(waiting.lane):
                queue.remove(waiting.submission_id)

    # Starting ---------------------------------------------------------------------------------

    def _ring(self, lane: Lane) -> None:
        if lane in self._lanes:
            self._ready[lane] = None
            self._serve()

    def _serve(self) -> None:
        """Start whatever may start: each ready lane a message, and round again."""
        if self._tasks is None or self._closing:
            return
        now = self._clock.monotonic()
        while self._ready and self._requests < self._policy.concurrency:
            lane, _ = self._ready.popitem(last=False)
            queue = self._lanes.get(lane)
            if queue is None:
                continue  # what was added is on its way to another lane, and this one has gone
            waiting = queue.take(now)
            if waiting is None:
                self._rest(queue, now)
                continue
            self._ready[lane] = None
            self._requests += 1
            task = self._tasks.create_task(self._carry(queue, waiting))
            self._in_flight[waiting.submission_id] = task

    def _rest(self, queue: LaneQueue, now: timedelta) -> None:
        """Nothing can start in the lane: wake it when time alone will change that."""
        if len(queue) == 0:
            self._rest_empty(queue, now)
            return
        if (at := queue.wakes_at(now)) is not None:
            self._alarms.set(queue.lane, at)
            self._tell_budget(queue, now)
        if self._tasks is not None:
            self._moving.start_if_paused(queue, now, self._tasks)

    def _rest_empty(self, queue: LaneQueue, now: timedelta) -> None:
        """After a while its connections go, and the lane itself once it need remember nothing."""
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
        """Once, when a budget holds mail back; and again after it has not."""
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

    async def _carry(self, queue: LaneQueue, waiting: Waiting) -> None:
        answered = partial(self._answered, queue, waiting)
        try:
            carried = await self._courier.carry(waiting, answered)
        except Exception as error:
            # A mistake of ours, which must stop neither the daemon nor other mail.
            self._journal.write(
                events.AttemptBroke(submission=waiting.submission_id, reason=repr(error))
            )
            self._feel(queue, Slower(repr(error)))
            carried = Finished(Queued(self._clock.now() + self._policy.retry_max))
        self._settle(queue, waiting, carried)

    def _answered(self, queue: LaneQueue, waiting: Waiting, answered: Answered) -> None:
        """The request is over; what came of it goes to the disk while the next one goes out."""
        self._make_room(queue, waiting)
        queue.budget.spend(answered.spent, self._clock.monotonic())
        self._feel(queue, answered.effect)
        self._ready[queue.lane] = None
        self._serve()

    def _make_room(self, queue: LaneQueue, waiting: Waiting) -> None:
        if queue.answered(waiting.submission_id):
            self._requests -= 1

    def _settle(self, queue: LaneQueue, waiting: Waiting, carried: DeliveryResult) -> None:
        del self._in_flight[waiting.submission_id]
        self._make_room(queue, waiting)
        queue.done(waiting.submission_id, self._clock.monotonic())
        again = self._again.pop(waiting.submission_id, None)
        match carried:
            case Finished(following, besides):
                if isinstance(following, Queued):
                    self._place(replace(waiting, not_before=following.not_before))
                for one in besides:
                    self._place(one)
                    self._ready[one.lane] = None
            case NotBegun(effect):
                self._place(again or waiting)
                self._feel(queue, effect)
            case NotWaiting():
                if again is not None:
                    self._place(again)
        self._ready[queue.lane] = None
        self._serve()

    def _feel(self, queue: LaneQueue, effect: Effect) -> None:
        match queue.feel(effect, self._clock.monotonic()):
            case NewlyPaused(paused, wait):
                self._journal.write(events.Paused(queue.lane, paused, self._clock.now() + wait))
            case Resumed(why):
                self._moving.forget_what_stays(queue.lane)
                self._journal.write(events.Resumed(queue.lane, why))
