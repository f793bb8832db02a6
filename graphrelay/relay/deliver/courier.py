"""One attempt at one message, from the spool to Graph and back to the spool.

    token ─▶ load_to_send ─▶ compose ─▶ begin ─▶ Graph ─▶ decide ─▶ finish
    │        │                          │                         └── the lane knows, the next goes
    │        │                          └── on the disk before the request goes out: from there on
    │        │                              the spool knows that it may have been sent
    │        └── on the disk before anything reads the message: one that ends the process is held
    └── none: the lane stops or rests, and no attempt is burnt

An outcome must reach the disk. While the spool cannot take it (disk full), the courier waits and
tries again, and keeps its place in the lane; nobody else may start on that message.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from graphrelay.clock import Clock
from graphrelay.graph.http.exchange import BodyChanged
from graphrelay.journal import Journal
from graphrelay.model import (
    Attempt,
    Delayed,
    Done,
    Held,
    Lane,
    NextState,
    Paused,
    Queued,
    QueueEntry,
    Relayed,
    StorageUnavailable,
    Submission,
    Uncertain,
)
from graphrelay.oauth.answers import Granted
from graphrelay.relay.deliver.bearer import Bearer, Tokens, without_token
from graphrelay.relay.deliver.dispatcher import Dispatched, Dispatcher, Prepared
from graphrelay.relay.deliver.result import (
    Answered,
    Carried,
    Finished,
    Gone,
    NotBegun,
)
from graphrelay.relay.policy.decision import Decision, Feedback, Slower, Stops, decide
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.relay.reports.reporter import Report, Reporter
from graphrelay.spool import Spool
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.values import Divided, Interrupted

T = TypeVar("T")

WITHOUT_DISK = timedelta(seconds=5)
"""How long to wait before the spool is asked again."""


class Courier:
    """Carries messages, as many at the same time as it is asked to."""

    def __init__(
        self,
        spool: Spool,
        tokens: Tokens,
        dispatcher: Dispatcher,
        clock: Clock,
        journal: Journal,
        policy: DeliveryPolicy,
        dice: Callable[[], float],
        reporter: Reporter | None = None,
    ) -> None:
        """`dice` gives random numbers from 0 to 1 (`random.random`). Without a `reporter` nobody
        is told of failures but the journal."""
        self._spool = spool
        self._tokens = tokens
        self._dispatcher = dispatcher
        self._clock = clock
        self._journal = journal
        self._policy = policy
        self._dice = dice
        self._reporter = reporter
        self._unrecorded: dict[int, tuple[Attempt, bool]] = {}
        """What came of attempts, with whether a doubt can be settled, until it is on the disk: what
        breaks while it is recorded must neither strand the message nor send it twice."""

    async def carry(self, waiting: QueueEntry, answered: Callable[[Answered], None]) -> Carried:
        """One attempt. Never raises for anything that the world does.

        `answered` is called when its request is over, before the disk knows how it ended; not
        where none was made.
        """
        try:
            if waiting.submission_id in self._unrecorded:
                return await self._record(await self._spool.load(waiting.submission_id))
            lane = waiting.lane
            token = await self._tokens.token(lane.account)
            if not isinstance(token, Granted):
                return NotBegun(_feedback(without_token(lane, token)))
            submission = await self._spool.load_to_send(waiting)
            return await self._attempt(submission, token, answered)
        except (NotQueued, MailLost):
            return Gone()
        except StorageUnavailable as error:
            return NotBegun(Slower(str(error), WITHOUT_DISK))

    async def recover(self, interrupted: Interrupted) -> None:
        """End an attempt in whose middle the process died: it may have sent the message."""
        try:
            submission = await self._spool.load(interrupted.submission_id)
        except (NotQueued, MailLost):
            return
        outcome = self._dispatcher.interrupted(submission, interrupted.client_request_id)
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
        """Nothing waits in the lane any more: its connections may go."""
        self._dispatcher.leave(lane)

    async def _attempt(
        self, submission: Submission, token: Granted, answered: Callable[[Answered], None]
    ) -> Carried:
        way = await self._prepared(submission)
        started_at, began, request_id = self._clock.now(), self._clock.monotonic(), str(uuid4())
        number = await self._spool.begin(submission, started_at, request_id)
        self._journal.attempt(submission, number)
        dispatched = await self._dispatch(submission, way, token, request_id)
        attempt = Attempt(
            number=number,
            started_at=started_at,
            finished_at=started_at + (self._clock.monotonic() - began),
            outcome=dispatched.outcome,
        )
        self._unrecorded[submission.id] = attempt, dispatched.settles
        decision = self._decide(submission, attempt, settles=dispatched.settles)
        spent = self._dispatcher.spent(submission, attempt.outcome)
        answered(Answered(decision.feedback, spent))
        return await self._record(submission, decision)

    async def _prepared(self, submission: Submission) -> Prepared | None:
        """`None` where composing failed: that is for the attempt, which then has an outcome."""
        try:
            return await self._dispatcher.prepare(submission)
        except Exception:
            return None

    async def _record(self, submission: Submission, decision: Decision | None = None) -> Finished:
        attempt, settles = self._unrecorded[submission.id]
        decision = decision or self._decide(submission, attempt, settles=settles)
        finished = await self._conclude(submission, attempt, decision)
        del self._unrecorded[submission.id]
        return finished

    async def _dispatch(
        self, submission: Submission, way: Prepared | None, token: Granted, request: str
    ) -> Dispatched:
        """An outcome in any case: from here on the attempt is on the disk and must be ended."""
        bearer = Bearer(self._tokens, submission.plan.lane, token)
        try:
            return await self._dispatcher.dispatch(submission, bearer, request, way)
        except (StorageUnavailable, OSError, BodyChanged) as error:
            reason = f"The message could not be read from the disk: {error}"
            return Dispatched(Delayed(status="4.3.0", reason=reason), settles=True)
        except Exception as error:
            settles = self._dispatcher.settles(submission)
            return Dispatched(Uncertain(reason=f"a mistake in the relay: {error!r}"), settles)

    def _decide(self, submission: Submission, attempt: Attempt, *, settles: bool) -> Decision:
        return decide(
            attempt.outcome,
            submission,
            attempt.number,
            self._policy,
            self._clock.now(),
            self._dice(),
            settles=settles,
        )

    async def _conclude(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Finished:
        """Record what came of an attempt, what follows, and what the sender is told of it."""
        if decision.pieces:
            return await self._divide(submission, attempt, decision)
        report = await self._report(submission, attempt, decision)
        put = await self._insist(
            submission, lambda: self._finish(submission, attempt, decision.next, report)
        )
        self._tell(submission, attempt, decision)
        if report is not None:
            report.tell(self._journal, put)
        then = report.message.not_before if report else None
        return Finished(decision.next, tuple(QueueEntry.of(one, then) for one in put))

    async def _divide(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Finished:
        """The outcome and the submissions that it is divided into, in one transaction."""
        assert isinstance(decision.next, Queued)  # noqa: S101 (decide never divides anything else)
        divided = Divided(decision.next.not_before, decision.pieces)
        await self._insist(submission, lambda: self._spool.finish(submission, attempt, divided))
        outcome = attempt.outcome
        self._journal.warning(
            "divided",
            message=submission.queue_id,
            recipients=len(submission.envelope.forward_paths),
            submissions=len(divided.pieces),
            reason="" if isinstance(outcome, Relayed) else outcome.reason,
        )
        return Finished(divided)

    async def _finish(
        self, submission: Submission, attempt: Attempt, following: NextState, report: Report | None
    ) -> tuple[Submission, ...]:
        """The outcome and what tells the sender of it, in one transaction."""
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
        """A report that trips us up must not keep the outcome from the disk."""
        reporter = self._reporter
        if reporter is None:
            return None
        try:
            return await self._insist(
                submission, lambda: reporter.report(submission, attempt, decision)
            )
        except Exception as error:
            self._journal.error("not-reported", message=submission.queue_id, reason=repr(error))
            return None

    async def _insist(self, submission: Submission, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the disk, and while it cannot take it, wait and try again."""
        while True:
            try:
                return await write()
            except StorageUnavailable as error:
                self._journal.error(
                    "outcome-not-recorded", message=submission.queue_id, reason=str(error)
                )
                await self._clock.sleep(WITHOUT_DISK)

    def _tell(self, submission: Submission, attempt: Attempt, decision: Decision) -> None:
        match attempt.outcome, decision.next:
            case Relayed() as relayed, _:
                took = attempt.finished_at - attempt.started_at
                self._journal.relayed(submission, relayed, took)
            case Delayed() as delayed, Queued(when):
                self._journal.delayed(submission, delayed, when)
            case Uncertain() as uncertain, following:
                self._journal.uncertain(submission, uncertain, _following(following))
            case _:
                pass
        if decision.failed is not None:
            self._journal.failed(submission, decision.failed)
        if isinstance(decision.next, Held):
            self._journal.held(submission.queue_id, decision.next.reason)


def _feedback(outcome: Paused | Delayed) -> Feedback:
    if isinstance(outcome, Paused):
        return Stops(outcome)
    return Slower(outcome.reason, outcome.retry_after)


def _following(following: NextState) -> str:
    match following:
        case Queued(when):
            return f"sent again at {when.isoformat(timespec='seconds')}"
        case Held():
            return "held"
        case Done():
            return "given up"
