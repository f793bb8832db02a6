"""How a submission gets to Graph: in one request, or as a draft that is then sent; and before it is
tried again, whether it must be.

    first attempt      sendMail                      exact once: draft ─▶ send
    later attempts     in doubt? look first ─▶ sent: done │ draft: send that │ nothing: as the first

Exact once rests on the draft: its immutable id says for certain whether it was sent, so a lost
answer is never a reason to send another one.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal, Protocol

from graphrelay.clock import Clock
from graphrelay.graph import drafts
from graphrelay.graph.client import OWN_MAILBOX, mailbox_path
from graphrelay.graph.drafts import Copy, Drafted, MayNotLook, Seen
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.journal import Journal
from graphrelay.model import (
    Answer,
    Delayed,
    Lane,
    OctetSource,
    Outcome,
    Paused,
    Relayed,
    StorageUnavailable,
    Submission,
    Uncertain,
)
from graphrelay.oauth.scenario import Account
from graphrelay.relay.bearer import Bearer
from graphrelay.relay.budget import Spent
from graphrelay.relay.doubt import (
    AlreadySent,
    Doubt,
    Judgement,
    NotThere,
    StillDraft,
    Unclear,
    doubt_in,
    judge,
    judge_draft,
)
from graphrelay.spool.values import MessageHistory

SENDING = timedelta(minutes=10)
"""How long Exchange may keep in Drafts what it was asked to send, before we send it from there."""
LOOK_AGAIN = timedelta(minutes=5)

Compose = Callable[[Submission], Awaitable[OctetSource]]
"""The octets that go to Graph: the message with Bcc and From as they must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What an account may do in a mailbox, as far as it matters for getting mail out."""

    own_mailbox: bool = False
    """Whether it is the mailbox of the user who signed in, which Graph calls `/me`."""
    may_look: bool = False
    """Whether it may read there."""
    exact_once: bool = False
    """Whether mail goes by draft and send; it then may look."""


def rights_in(accounts: Iterable[Account]) -> Callable[[Lane], Rights]:
    """What each account asked for when it was authorized (`oauth.scenario.permissions`)."""
    by_name = {account.name: account for account in accounts}

    def rights(lane: Lane) -> Rights:
        account = by_name.get(lane.account)
        if account is None:
            return Rights()
        scenario = account.scenario
        return Rights(
            own_mailbox=account.is_own_mailbox(lane.mailbox),
            may_look=scenario.exact_once or scenario.large_messages,
            exact_once=scenario.exact_once,
        )

    return rights


class LanePost(drafts.Caller, Protocol):
    """What is needed of a lane's Graph client."""

    async def send_mime(
        self, mailbox: str, mime: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt: ...

    def take_spent(self) -> tuple[int, int]: ...


class Post(Protocol):
    """What is needed of the Graph client."""

    def for_lane(self, lane: Lane) -> LanePost: ...

    def close_lane(self, lane: Lane) -> None: ...


class Histories(Protocol):
    """What is needed of the spool to know of a doubt."""

    async def show(self, queue_id: str) -> MessageHistory | None: ...


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`settles`: whether a doubt can be looked into later."""

    outcome: Outcome
    settles: bool


_Look = Seen | MayNotLook | Delayed | Paused


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every request of one attempt needs."""

    lane: LanePost
    mailbox: str
    bearer: Bearer
    request_id: str


class Dispatcher:
    """Owns nothing; every attempt is a call."""

    def __init__(
        self,
        post: Post,
        compose: Compose,
        histories: Histories,
        rights: Callable[[Lane], Rights],
        on_uncertain: Literal["retry", "hold"],
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._post = post
        self._compose = compose
        self._histories = histories
        self._rights = rights
        self._on_uncertain = on_uncertain
        self._clock = clock
        self._journal = journal

    def settles(self, lane: Lane) -> bool:
        """Whether a doubt in this lane can be looked into."""
        rights = self._rights(lane)
        return rights.may_look or rights.exact_once

    def leave(self, lane: Lane) -> None:
        """Nothing waits in the lane any more: its connections may go."""
        self._post.close_lane(lane)

    def spent(self, submission: Submission, outcome: Outcome) -> Spent:
        """What an attempt cost; what others in the lane have done meanwhile may be counted here,
        and is not counted there then."""
        requests, octets = self._post.for_lane(submission.plan.lane).take_spent()
        if not isinstance(outcome, Relayed):
            return Spent(requests, octets)
        return Spent(requests, octets, 1, len(submission.envelope.forward_paths))

    async def dispatch(self, submission: Submission, bearer: Bearer, request_id: str) -> Dispatched:
        """Get it to Graph, unless it is there already.

        Raises whatever reading the message raises; then nothing was sent.
        """
        lane = submission.plan.lane
        rights = self._rights(lane)
        mailbox = OWN_MAILBOX if rights.own_mailbox else mailbox_path(lane.mailbox)
        desk = _Desk(self._post.for_lane(lane), mailbox, bearer, request_id)
        if submission.attempts > 0 and self.settles(lane):
            history = await self._histories.show(submission.queue_id)
            doubt = doubt_in(history, submission.id)
            if doubt or rights.exact_once:
                judged = await self._judge(desk, submission, doubt)
                answered = await self._follow(desk, submission, doubt, rights, judged)
                if answered is not None:
                    return answered
        mime = await self._prepared(submission)
        if isinstance(mime, Delayed):
            return Dispatched(mime, settles=True)
        way = _by_draft if rights.exact_once else _at_once
        return Dispatched(await way(desk, mime), self.settles(lane))

    async def _prepared(self, submission: Submission) -> OctetSource | Delayed:
        """A message that trips us up must not stop others, nor be lost."""
        try:
            return await self._compose(submission)
        except StorageUnavailable:
            raise
        except Exception as error:
            return Delayed(status="4.3.0", reason=f"The message could not be prepared: {error!r}")

    async def _judge(
        self, desk: _Desk, submission: Submission, doubt: Doubt | None
    ) -> Judgement | Delayed | Paused:
        if doubt and doubt.draft:
            draft = doubt.draft
            seen: _Look = await desk.bearer.use(
                partial(
                    drafts.look_at,
                    desk.lane,
                    desk.mailbox,
                    draft,
                    client_request_id=desk.request_id,
                )
            )
            if not isinstance(seen, Seen) or seen.copies:
                return _judged(seen, judge_draft)
        found: _Look = await desk.bearer.use(
            partial(
                drafts.find,
                desk.lane,
                desk.mailbox,
                submission.message_id,
                client_request_id=desk.request_id,
            )
        )
        since = doubt.since if doubt else submission.received_at
        return _judged(found, lambda copies: judge(copies, submission, since))

    async def _follow(
        self,
        desk: _Desk,
        submission: Submission,
        doubt: Doubt | None,
        rights: Rights,
        judged: Judgement | Delayed | Paused,
    ) -> Dispatched | None:
        """What comes of looking; `None`: the message is to be sent as if for the first time."""
        match judged:
            case AlreadySent():
                self._tell(submission, "it had been sent")
                return Dispatched(_found(desk.request_id), settles=True)
            case StillDraft(copy) if rights.exact_once or self._is_stuck(copy):
                self._tell(submission, "it lies in Drafts, and is sent from there")
                return Dispatched(await _send_draft(desk, copy.id), settles=True)
            case StillDraft():
                reason = "an earlier attempt lies in Drafts: Exchange may still be sending it"
                return Dispatched(
                    Delayed(status="4.4.5", reason=reason, retry_after=LOOK_AGAIN), settles=True
                )
            case NotThere():
                if doubt:
                    self._tell(submission, "it had not been sent, and is sent again")
                return None
            case Unclear(reason) if doubt and self._on_uncertain == "hold":
                return Dispatched(Uncertain(reason=reason), settles=False)
            case Unclear(reason):
                if doubt:
                    self._tell(submission, f"{reason}; it is sent again")
                return None
            case Delayed() | Paused():
                return Dispatched(judged, settles=True)

    def _is_stuck(self, copy: Copy) -> bool:
        return copy.created_at + SENDING <= self._clock.now()

    def _tell(self, submission: Submission, found: str) -> None:
        self._journal.settled(submission.queue_id, found)


def _judged(
    seen: _Look, judge: Callable[[tuple[Copy, ...]], Judgement]
) -> Judgement | Delayed | Paused:
    match seen:
        case Seen(copies):
            return judge(copies)
        case MayNotLook():
            return Unclear("the account may not read the mailbox to find out")
        case _:
            return seen


async def _at_once(desk: _Desk, mime: OctetSource) -> Outcome:
    outcome: Outcome = await desk.bearer.use(
        partial(desk.lane.send_mime, desk.mailbox, mime, client_request_id=desk.request_id)
    )
    return outcome


async def _by_draft(desk: _Desk, mime: OctetSource) -> Outcome:
    made: Drafted | Outcome = await desk.bearer.use(
        partial(drafts.create, desk.lane, desk.mailbox, mime, client_request_id=desk.request_id)
    )
    return await _send_draft(desk, made.id) if isinstance(made, Drafted) else made


async def _send_draft(desk: _Desk, draft: str) -> Outcome:
    """A draft stays behind only where it may have been sent."""
    outcome: Outcome = await desk.bearer.use(
        partial(drafts.send, desk.lane, desk.mailbox, draft, client_request_id=desk.request_id)
    )
    if not isinstance(outcome, Relayed | Uncertain):
        await desk.bearer.use(
            partial(
                drafts.delete, desk.lane, desk.mailbox, draft, client_request_id=desk.request_id
            )
        )
    return outcome


def _found(request_id: str) -> Relayed:
    said = "Found in the mailbox: an earlier attempt had sent it."
    return Relayed(answer=Answer(http_status=200, message=said, client_request_id=request_id))
