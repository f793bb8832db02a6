"""One attempt at one message, from the spool to Graph and back to the spool.

    load ─▶ token ─▶ begin_attempt ─▶ compose ─▶ Graph ─▶ decide ─▶ finish_attempt
            │        └── on the disk before the request goes out: whatever happens from there
            │            on, the spool knows that it may have been sent
            └── none: the lane stops or rests, and no attempt is burnt

An outcome must reach the disk. While the spool cannot take it (disk full), the courier waits and
tries again, and keeps its place in the lane; nobody else may start on that message.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from graphrelay.clock import Clock
from graphrelay.graph.client import OWN_MAILBOX, mailbox_path
from graphrelay.graph.connection import BodyChanged
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.journal import Journal
from graphrelay.model import (
    Attempt,
    Delayed,
    Done,
    Held,
    Lane,
    Next,
    OctetSource,
    Outcome,
    Paused,
    Queued,
    Relayed,
    StorageUnavailable,
    Submission,
    Trouble,
    Uncertain,
    Waiting,
)
from graphrelay.oauth.answers import (
    Granted,
    NotGranted,
    Refused,
    TokenAnswer,
    Unauthorized,
    Unreachable,
    VaultProblem,
)
from graphrelay.relay.decision import Decision, Effect, Slower, Stops, decide
from graphrelay.relay.schedule import DeliveryPolicy
from graphrelay.spool.errors import MailLost, NotQueued

WITHOUT_DISK = timedelta(seconds=5)
"""How long to wait before the spool is asked again."""


class Attempts(Protocol):
    """What the courier needs of the spool."""

    async def load(self, submission_id: int) -> Submission: ...

    async def begin_attempt(
        self, submission_id: int, started_at: datetime, client_request_id: str
    ) -> int: ...

    async def finish_attempt(self, submission_id: int, attempt: Attempt, next: Next) -> None: ...


class Tokens(Protocol):
    """What the courier needs of the TokenManager."""

    async def token(self, account: str, *, fresh: bool = False) -> TokenAnswer: ...


class LanePost(Protocol):
    """What the courier needs of a lane's Graph client."""

    async def send_mime(
        self, mailbox: str, mime: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt: ...


class Post(Protocol):
    """What the courier needs of the Graph client."""

    def for_lane(self, lane: Lane) -> LanePost: ...

    def close_lane(self, lane: Lane) -> None: ...


Compose = Callable[[Submission], Awaitable[OctetSource]]
"""The octets that go to Graph: the message with Bcc and From as they must be."""
IsOwnMailbox = Callable[[Lane], bool]
"""Whether the mailbox is that of the signed-in user, which Graph calls `/me`."""


# --- What came of it ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt was made and recorded."""

    next: Next
    effect: Effect


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nothing was recorded; the message keeps its place."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Gone:
    """It does not wait any more: held, deleted, or lost by the disk. The spool has told it."""


Carried = Finished | NotBegun | Gone


class Courier:
    """Carries messages, as many at the same time as it is asked to."""

    def __init__(
        self,
        spool: Attempts,
        tokens: Tokens,
        post: Post,
        compose: Compose,
        is_own_mailbox: IsOwnMailbox,
        clock: Clock,
        journal: Journal,
        policy: DeliveryPolicy,
        dice: Callable[[], float],
    ) -> None:
        """`dice` gives random numbers from 0 to 1 (`random.random`)."""
        self._spool = spool
        self._tokens = tokens
        self._post = post
        self._compose = compose
        self._is_own_mailbox = is_own_mailbox
        self._clock = clock
        self._journal = journal
        self._policy = policy
        self._dice = dice

    async def carry(self, waiting: Waiting) -> Carried:
        """One attempt. Never raises for anything that the world does."""
        try:
            submission = await self._spool.load(waiting.submission_id)
            token = await self._tokens.token(submission.plan.lane.account)
            if not isinstance(token, Granted):
                return NotBegun(_without_token(submission.plan.lane, token))
            return await self._attempt(submission, token)
        except (NotQueued, MailLost):
            return Gone()
        except StorageUnavailable as error:
            return NotBegun(Slower(str(error), WITHOUT_DISK))

    async def conclude(self, submission: Submission, attempt: Attempt) -> Decision:
        """Record `attempt`, which has ended, and say what follows; waits while the disk is full."""
        now = self._clock.now()
        decision = decide(
            attempt.outcome, submission, attempt.number, self._policy, now, self._dice()
        )
        self._tell(submission, attempt, decision)
        while True:
            try:
                await self._spool.finish_attempt(submission.id, attempt, decision.next)
            except StorageUnavailable as error:
                self._journal.error(
                    "outcome-not-recorded", message=submission.queue_id, reason=str(error)
                )
                await self._clock.sleep(WITHOUT_DISK)
            else:
                return decision

    def leave(self, lane: Lane) -> None:
        """Nothing waits in the lane any more: its connections may go."""
        self._post.close_lane(lane)

    async def _attempt(self, submission: Submission, token: Granted) -> Carried:
        started_at, began, request_id = self._clock.now(), self._clock.monotonic(), str(uuid4())
        number = await self._spool.begin_attempt(submission.id, started_at, request_id)
        self._journal.attempt(submission, number)
        outcome = await self._submit(submission, token, request_id)
        finished_at = max(started_at, started_at + self._clock.monotonic() - began)
        attempt = Attempt(
            number=number, started_at=started_at, finished_at=finished_at, outcome=outcome
        )
        decision = await self.conclude(submission, attempt)
        return Finished(decision.next, decision.effect)

    async def _submit(self, submission: Submission, token: Granted, request_id: str) -> Outcome:
        """An outcome in any case: from here on the attempt is on the disk and must be ended."""
        try:
            mime = await self._compose(submission)
        except Exception as error:
            return Delayed(status="4.3.0", reason=f"The message could not be prepared: {error!r}")
        try:
            return await self._send(submission, mime, token, request_id)
        except (StorageUnavailable, OSError, BodyChanged) as error:
            reason = f"The message could not be read from the disk: {error}"
            return Delayed(status="4.3.0", reason=reason)
        except Exception as error:
            return Uncertain(reason=f"a mistake in the relay: {error!r}")

    async def _send(
        self, submission: Submission, mime: OctetSource, token: Granted, request_id: str
    ) -> Outcome:
        lane = submission.plan.lane
        mailbox = OWN_MAILBOX if self._is_own_mailbox(lane) else mailbox_path(lane.mailbox)
        post = self._post.for_lane(lane)
        result = await post.send_mime(mailbox, mime, token.access_token, request_id)
        if isinstance(result, TokenDoubt):
            fresh = await self._fresh_token(lane.account, token)
            if not isinstance(fresh, Granted):
                return _outcome_without_token(lane, fresh)
            result = await post.send_mime(mailbox, mime, fresh.access_token, request_id)
        return _refused(lane, result) if isinstance(result, TokenDoubt) else result

    async def _fresh_token(self, account: str, refused: Granted) -> TokenAnswer:
        """Another token than the one that Graph refused; somebody may have fetched it already."""
        current = await self._tokens.token(account)
        if isinstance(current, Granted) and current.access_token != refused.access_token:
            return current
        return await self._tokens.token(account, fresh=True)

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


def _following(following: Next) -> str:
    match following:
        case Queued(when):
            return f"sent again at {when.isoformat(timespec='seconds')}"
        case Held():
            return "held"
        case Done():
            return "given up"


# --- Words about tokens ---------------------------------------------------------------------------


def _without_token(lane: Lane, answer: NotGranted) -> Effect:
    outcome = _outcome_without_token(lane, answer)
    if isinstance(outcome, Paused):
        return Stops(outcome)
    return Slower(outcome.reason, outcome.retry_after)


def _outcome_without_token(lane: Lane, answer: NotGranted) -> Paused | Delayed:
    """Nothing was sent, as there was nothing to send it with."""
    account = f'account "{lane.account}"'
    match answer:
        case Unreachable(reason=reason, retry_after=retry_after):
            text = f"{account}: no token could be fetched: {reason}"
            return Delayed(status="4.4.1", reason=text, retry_after=retry_after)
        case Refused():
            reason = f"Microsoft refused a token ({answer.description or answer.error})"
        case Unauthorized(reason=reason) | VaultProblem(reason=reason):
            pass
    return Paused(
        trouble=Trouble.AUTHORIZATION,
        status="4.7.0",
        reason=f"{account}: {reason}",
        remedy=answer.remedy,
    )


def _refused(lane: Lane, doubt: TokenDoubt) -> Paused:
    """Graph refused two tokens, the second one fresh."""
    return replace(
        doubt.outcome,
        reason=f'account "{lane.account}", mailbox {lane.mailbox}: {doubt.outcome.reason}',
        remedy=f"graphrelay status {lane.account}",
    )


__all__ = [
    "Attempts",
    "Carried",
    "Courier",
    "Finished",
    "Gone",
    "NotBegun",
    "Post",
    "Tokens",
]
