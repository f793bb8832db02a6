"""One attempt at one message, from the spool to Graph and back to the spool.

    session ─▶ load_to_send ─▶ prepare ─▶ begin ─▶ Graph ─▶ decide ─▶ finish
    │          │                          │                         └── the lane starts the next
    │          │                          └── on the disk before the request goes out: from there
    │          │                              on the spool knows that it may have been sent
    │          └── on the disk before the message is read: one that crashes the process is held
    └── no token: the lane stops or rests, and no attempt is counted

Every outcome must be recorded. While the spool cannot take it (disk full), the courier waits and
tries again, and the message keeps its place in the lane; no other attempt at it may start.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, TypeVar

from graphrelay.clock import Clock
from graphrelay.graph.http.exchange import BodyChanged
from graphrelay.graph.session import MailboxSession
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Attempt,
    Delayed,
    Done,
    Held,
    Lane,
    NextState,
    Outcome,
    Paused,
    Queued,
    QueueEntry,
    Relayed,
    StorageUnavailable,
    Submission,
    Uncertain,
)
from graphrelay.relay.deliver.dispatcher import Composed, Dispatched, Dispatcher, unreadable
from graphrelay.relay.deliver.result import (
    Answered,
    DeliveryResult,
    Finished,
    NotBegun,
    NotWaiting,
)
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.decision import Decision, Slower, Stops, decide
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.reports.reporter import Report, Reporter
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.values import Divided, Interrupted

T = TypeVar("T")

WITHOUT_DISK = timedelta(seconds=5)
"""How long to wait before the spool is asked again."""


class Graph(Protocol):
    """What the courier needs of the GraphClient."""

    async def session(self, lane: Lane) -> MailboxSession | Paused | Delayed: ...

    def close_lane(self, lane: Lane) -> None: ...


class Courier:
    """Makes attempts, any number of them at the same time."""

    def __init__(
        self,
        spool: Spool,
        graph: Graph,
        dispatcher: Dispatcher,
        clock: Clock,
        journal: Journal,
        policy: DeliveryPolicy,
        random: Callable[[], float],
        reporter: Reporter | None = None,
    ) -> None:
        """`random` gives random numbers from 0 to 1 (`random.random`). Without a `reporter`,
        failures are only logged."""
        self._spool = spool
        self._graph = graph
        self._dispatcher = dispatcher
        self._clock = clock
        self._journal = journal
        self._policy = policy
        self._random = random
        self._reporter = reporter
        self._suspect = asyncio.Lock()
        """Held while a message is read during whose reading an earlier process died. Of several,
        one is to blame: if they were read at the same time again, all of them would be counted when
        the next process dies."""
        self._unrecorded: dict[int, tuple[Attempt, bool]] = {}
        """Attempts that are not on the disk yet, with whether a doubt can be settled: an error
        while they are recorded must neither strand the message nor send it twice."""

    async def carry(
        self, waiting: QueueEntry, answered: Callable[[Answered], None]
    ) -> DeliveryResult:
        """Make one attempt. Never raises because of the network, Graph or the disk.

        `answered` is called when its request is over, before the outcome is recorded; it is not
        called if no request was made.
        """
        try:
            if waiting.submission_id in self._unrecorded:
                return await self._record(await self._spool.load(waiting.submission_id))
            session = await self._graph.session(waiting.lane)
            match session:
                case Paused():
                    return NotBegun(Stops(session))
                case Delayed():
                    return NotBegun(Slower(session.reason, session.retry_after))
            return await self._attempt(waiting, session, answered)
        except (NotQueued, MailLost):
            return NotWaiting()
        except StorageUnavailable as error:
            return NotBegun(Slower(str(error), WITHOUT_DISK))

    async def recover(self, interrupted: Interrupted) -> None:
        """End an attempt during which the process ended: it may have sent the message."""
        try:
            submission = await self._spool.load(interrupted.submission_id)
        except (NotQueued, MailLost):
            return
        outcome = self._dispatcher.interrupted(submission, interrupted)
        attempt = Attempt(
            number=interrupted.number,
            started_at=interrupted.started_at,
            finished_at=max(interrupted.started_at, self._clock.now()),
            outcome=outcome,
        )
        settles = self._dispatcher.settles(submission)
        decision = self._decide(submission, attempt, settles=settles)
        await self._conclude(submission, attempt, decision)

    def leave(self, lane: Lane) -> None:
        """Close the lane's connections, as nothing waits in it any more."""
        self._graph.close_lane(lane)

    async def _attempt(
        self,
        waiting: QueueEntry,
        session: MailboxSession,
        answered: Callable[[Answered], None],
    ) -> Finished:
        async with self._suspect if waiting.suspect else nullcontext():
            submission = await self._spool.load_to_send(waiting)
            composed = await self._dispatcher.prepare(submission)
            started_at, began = self._clock.now(), self._clock.monotonic()
            number = await self._spool.begin(submission, started_at, session.client_request_id)
        self._journal.write(events.Attempt(submission, number))
        dispatched = await self._dispatch(submission, composed, session)
        attempt = Attempt(
            number=number,
            started_at=started_at,
            finished_at=started_at + (self._clock.monotonic() - began),
            outcome=dispatched.outcome,
        )
        self._unrecorded[submission.id] = attempt, dispatched.settles
        decision = self._decide(submission, attempt, settles=dispatched.settles)
        answered(Answered(decision.feedback, _spent(submission, session, attempt.outcome)))
        return await self._record(submission, decision)

    async def _record(self, submission: Submission, decision: Decision | None = None) -> Finished:
        attempt, settles = self._unrecorded[submission.id]
        decision = decision or self._decide(submission, attempt, settles=settles)
        try:
            finished = await self._conclude(submission, attempt, decision)
        except NotQueued:  # another relay has the lane, and settles the attempt
            del self._unrecorded[submission.id]
            raise
        del self._unrecorded[submission.id]
        return finished

    async def _dispatch(
        self, submission: Submission, composed: Composed, session: MailboxSession
    ) -> Dispatched:
        """Always gives an outcome: the attempt is on the disk and must be ended."""
        try:
            return await self._dispatcher.dispatch(submission, composed, session)
        except (StorageUnavailable, OSError, BodyChanged) as error:
            return Dispatched(unreadable(error), settles=True)
        except Exception as error:
            settles = self._dispatcher.settles(submission)
            return Dispatched(Uncertain(reason=f"an error in the relay: {error!r}"), settles)

    def _decide(self, submission: Submission, attempt: Attempt, *, settles: bool) -> Decision:
        policy = self._policy
        if self._dispatcher.holds(submission.plan.lane.account):
            policy = replace(policy, on_uncertain="hold")
        return decide(
            attempt.outcome,
            submission,
            attempt.number,
            policy,
            self._clock.now(),
            self._random(),
            settles=settles,
        )

    async def _conclude(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Finished:
        """Record the outcome of an attempt, what follows from it, and the report to the sender."""
        if decision.pieces:
            return await self._divide(submission, attempt, decision)
        report = await self._report(submission, attempt, decision)
        put = await self._insist(
            submission, lambda: self._finish(submission, attempt, decision.next, report)
        )
        self._log(submission, attempt, decision)
        if report is not None:
            report.taken(self._journal, put)
        then = report.message.not_before if report else None
        return Finished(decision.next, tuple(QueueEntry.of(one, then) for one in put))

    async def _divide(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Finished:
        """Record the outcome and the submissions into which it is divided, in one transaction."""
        assert isinstance(decision.next, Queued)  # noqa: S101 (decide never divides anything else)
        divided = Divided(decision.next.not_before, decision.pieces)
        await self._insist(submission, lambda: self._spool.finish(submission, attempt, divided))
        outcome = attempt.outcome
        self._journal.write(
            events.Divided(
                queue_id=submission.queue_id,
                recipients=len(submission.envelope.forward_paths),
                submissions=len(divided.pieces),
                reason="" if isinstance(outcome, Relayed) else outcome.reason,
            )
        )
        return Finished(divided)

    async def _finish(
        self, submission: Submission, attempt: Attempt, following: NextState, report: Report | None
    ) -> tuple[Submission, ...]:
        """Record the outcome and the report to the sender, in one transaction."""
        if report is None:
            return await self._spool.finish(submission, attempt, following)
        body = self._spool.incoming()
        try:
            await body.write(report.octets)
        except BaseException:
            await body.discard()
            raise
        return await self._spool.finish(submission, attempt, following, (report.message, body))

    async def _report(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Report | None:
        """An error in composing a report must not keep the outcome from being recorded."""
        reporter = self._reporter
        if reporter is None:
            return None
        try:
            return await self._insist(
                submission, lambda: reporter.report(submission, attempt, decision)
            )
        except Exception as error:
            self._journal.write(
                events.ReportBroke(queue_id=submission.queue_id, reason=repr(error))
            )
            return None

    async def _insist(self, submission: Submission, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the disk; while that is not possible, wait and try again."""
        while True:
            try:
                return await write()
            except StorageUnavailable as error:
                self._journal.write(
                    events.OutcomeNotRecorded(queue_id=submission.queue_id, reason=str(error))
                )
                await self._clock.sleep(WITHOUT_DISK)

    def _log(self, submission: Submission, attempt: Attempt, decision: Decision) -> None:
        match attempt.outcome, decision.next:
            case Relayed() as relayed, _:
                took = attempt.finished_at - attempt.started_at
                self._journal.write(events.Relayed(submission, relayed, took))
            case Delayed() as delayed, Queued(when):
                self._journal.write(events.Delayed(submission, delayed, when))
            case Uncertain() as uncertain, following:
                self._journal.write(events.Uncertain(submission, uncertain, _following(following)))
            case _:
                pass
        if decision.failed is not None:
            self._journal.write(events.Failed(submission, decision.failed))
        if isinstance(decision.next, Held):
            self._journal.write(events.Held(submission.queue_id, decision.next.reason))


def _spent(submission: Submission, session: MailboxSession, outcome: Outcome) -> Spent:
    """What an attempt used of the budgets. It may include requests that other attempts in the lane
    made meanwhile, which are then not counted there."""
    requests, octets = session.take_spent()
    if not isinstance(outcome, Relayed):
        return Spent(requests, octets)
    return Spent(requests, octets, 1, len(submission.envelope.forward_paths))


def _following(following: NextState) -> str:
    match following:
        case Queued(when):
            return f"sent again at {when.isoformat(timespec='seconds')}"
        case Held():
            return "held"
        case Done():
            return "given up"
