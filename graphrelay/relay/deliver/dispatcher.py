"""How a submission gets to Graph, and before it is tried again, whether it must be.

    first attempt      by its way: in one request, as MIME or JSON, or as a draft that is then sent
    later attempts     in doubt? look first ─▶ sent: done │ draft: go on there │ nothing: as first
    header refused     once more, without the header fields that Graph may have meant

Exact once rests on the draft: its immutable id says for certain whether it was sent, so a lost
answer is never a reason to send another one. That the mailbox shows neither the draft nor a copy
proves nothing the first time, since Exchange may answer from a replica that is behind: only the
second time, some minutes later, is a draft made anew. Mail that leaves no copy cannot be looked
for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Literal, Protocol

from graphrelay.clock import Clock
from graphrelay.graph import drafts
from graphrelay.graph.base64stream import encoded_size
from graphrelay.graph.client import OWN_MAILBOX, mailbox_path
from graphrelay.graph.drafts import Copy, MayNotLook, Seen
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.journal import Journal
from graphrelay.model import (
    Answer,
    Delayed,
    DraftProgress,
    Failed,
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
from graphrelay.relay.deliver import by_draft
from graphrelay.relay.deliver.bearer import Bearer
from graphrelay.relay.deliver.by_draft import Desk
from graphrelay.relay.outgoing import method
from graphrelay.relay.outgoing.method import (
    REQUEST,
    Allowance,
    AsJson,
    AsMime,
    ByDraft,
    Compose,
    Way,
)
from graphrelay.relay.policy.budget import Spent
from graphrelay.relay.policy.settle import (
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
from graphrelay.spool import Spool
from graphrelay.spool.queries import HistoryOf

SENDING = timedelta(minutes=10)
"""How long Exchange may keep in Drafts what it was asked to send, before we send it from there."""
LOOK_AGAIN = timedelta(minutes=5)

_HEADER_REFUSED = {"invalidinternetmessageheader", "invalidinternetmessageheadercollection"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What an account may do in a mailbox, as far as it matters for getting mail out."""

    own_mailbox: bool = False
    """Whether it is the mailbox of the user who signed in, which Graph calls `/me`."""
    may_look: bool = False
    """Whether it may read there."""
    exact_once: bool = False
    """Whether mail goes by draft and send; it then may look."""
    large_messages: bool = False
    """Whether mail that is too large for one request goes by draft and upload session."""


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
            large_messages=scenario.large_messages,
        )

    return rights


class LanePost(drafts.Caller, Protocol):
    """What is needed of a lane's Graph client."""

    async def send_mime(
        self, mailbox: str, mime: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt: ...

    async def send_json(
        self, mailbox: str, body: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt: ...

    def take_spent(self) -> tuple[int, int]: ...


class Post(Protocol):
    """What is needed of the Graph client."""

    def for_lane(self, lane: Lane) -> LanePost: ...

    def close_lane(self, lane: Lane) -> None: ...


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`settles`: whether a doubt can be looked into later."""

    outcome: Outcome
    settles: bool


Prepared = Way | Failed | Delayed
"""What goes to Graph, and how; or why nothing can."""

_Look = Seen | MayNotLook | Delayed | Paused


class Dispatcher:
    """Owns nothing; every attempt is a call."""

    def __init__(
        self,
        post: Post,
        compose: Compose,
        spool: Spool,
        rights: Callable[[Lane], Rights],
        on_uncertain: Literal["retry", "hold"],
        clock: Clock,
        journal: Journal,
        largest_request: int = REQUEST,
    ) -> None:
        self._post = post
        self._compose = compose
        self._spool = spool
        self._largest_request = largest_request
        self._rights = rights
        self._on_uncertain = on_uncertain
        self._clock = clock
        self._journal = journal

    def settles(self, submission: Submission) -> bool:
        """Whether a doubt about it can be looked into."""
        rights = self._rights(submission.plan.lane)
        if submission.draft:
            return True
        return submission.plan.save_to_sent_items and (rights.may_look or rights.exact_once)

    def interrupted(self, submission: Submission, request_id: str) -> Delayed | Uncertain:
        """What an attempt came to in whose middle the process died."""
        said, draft = Answer(client_request_id=request_id), submission.draft
        if draft and not draft.sending:
            reason = "the relay was stopped while it put the message together in Drafts"
            return Delayed(status="4.3.2", reason=reason, answer=said)
        reason = "the relay was stopped while the request was on its way"
        return Uncertain(reason=reason, answer=said)

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

    async def prepare(self, submission: Submission) -> Prepared:
        """What `dispatch` sends first. Raises whatever reading the message raises."""
        in_parts = submission.draft is not None and submission.draft.attachments > 0
        rights = self._rights(submission.plan.lane)
        return await self._way(submission, rights, at_once=not in_parts)

    async def dispatch(
        self,
        submission: Submission,
        bearer: Bearer,
        request_id: str,
        prepared: Prepared | None = None,
    ) -> Dispatched:
        """Get it to Graph, unless it is there already.

        Raises whatever reading the message raises; then nothing was sent.
        """
        lane = submission.plan.lane
        rights = self._rights(lane)
        mailbox = OWN_MAILBOX if rights.own_mailbox else mailbox_path(lane.mailbox)
        post = self._post.for_lane(lane)
        desk = Desk(post, mailbox, bearer, request_id, self._spool, submission, self._clock)
        way = prepared or await self.prepare(submission)
        if submission.attempts > 0 and self.settles(submission):
            history = await self._spool.read(HistoryOf(submission.queue_id))
            doubt = doubt_in(history, submission.id)
            if doubt or submission.draft or isinstance(way, ByDraft):
                judged = await self._judge(desk, submission, doubt)
                answered = await self._follow(desk, way, doubt, judged)
                if answered is not None:
                    return answered
        outcome = await self._send(desk, post, way)
        if _is_header_refused(outcome):
            way = await self._way(submission, rights, bare=True)
            outcome = await self._send(desk, post, way)
        if rights.large_messages and self._is_too_large(way, outcome):
            way = await self._way(submission, rights, at_once=False)
            outcome = await self._send(desk, post, way)
        settles = isinstance(way, ByDraft | Delayed) or self.settles(submission)
        return Dispatched(outcome, settles)

    async def _way(
        self,
        submission: Submission,
        rights: Rights,
        *,
        bare: bool = False,
        at_once: bool = True,
    ) -> Prepared:
        """A message that trips us up must not stop others, nor be lost."""
        allowed = Allowance(
            rights.exact_once, rights.large_messages, self._largest_request, at_once
        )
        try:
            return await method.way(submission, allowed, self._compose, bare=bare)
        except StorageUnavailable:
            raise
        except Exception as error:
            return Delayed(status="4.3.0", reason=f"The message could not be prepared: {error!r}")

    async def _send(self, desk: Desk, post: LanePost, way: Prepared) -> Outcome:
        """As if for the first time."""
        outcome: Outcome
        match way:
            case AsMime(octets, lost):
                outcome = await desk.ask(partial(post.send_mime, desk.mailbox, octets))
            case AsJson(octets, lost):
                outcome = await desk.ask(partial(post.send_json, desk.mailbox, octets))
            case ByDraft():
                outcome = await by_draft.begin(desk, way, self._largest_request)
                return self._explained(desk, outcome)
            case _:
                return way
        if lost and isinstance(outcome, Relayed | Uncertain):
            return replace(outcome, lost=lost)
        return outcome

    def _is_too_large(self, way: Way | Failed | Delayed, outcome: Outcome) -> bool:
        """Whether Graph takes less in one request than we thought. "4 MB" may be read in two ways,
        and the answer is 413, or 400 with a code that says nothing."""
        if not isinstance(way, AsMime | AsJson) or not isinstance(outcome, Failed | Delayed):
            return False
        if outcome.answer.http_status == 413:
            return True
        size = way.octets.size if isinstance(way, AsJson) else encoded_size(way.octets.size)
        said_nothing = outcome.answer.code.casefold() == "badrequest"
        return said_nothing and size > self._largest_request // 2

    def _explained(self, desk: Desk, outcome: Outcome) -> Outcome:
        lane = desk.submission.plan.lane
        if self._rights(lane).exact_once:
            return outcome
        return by_draft.only_large(outcome, lane.account)

    async def _judge(
        self, desk: Desk, submission: Submission, doubt: Doubt | None
    ) -> Judgement | Delayed | Paused:
        draft = submission.draft.id if submission.draft else doubt.draft if doubt else ""
        if draft:
            look = partial(drafts.look_at, desk.lane, desk.mailbox, draft)
            seen: _Look = await desk.ask(look)
            if not isinstance(seen, Seen) or seen.copies:
                return _judged(seen, judge_draft)
        search = partial(drafts.find, desk.lane, desk.mailbox, submission.message_id)
        found: _Look = await desk.ask(search)
        since = doubt.since if doubt else submission.received_at
        return _judged(found, lambda copies: judge(copies, submission, since))

    async def _follow(
        self,
        desk: Desk,
        way: Prepared,
        doubt: Doubt | None,
        judged: Judgement | Delayed | Paused,
    ) -> Dispatched | None:
        """What comes of looking; `None`: the message is to be sent as if for the first time."""
        submission = desk.submission
        match judged:
            case AlreadySent():
                self._tell(submission, "it had been sent")
                return Dispatched(_found(desk.request_id, _lost(submission, way)), settles=True)
            case StillDraft(copy):
                return await self._from_drafts(desk, way, copy)
            case NotThere() if doubt and not doubt.looked and (doubt.draft or submission.draft):
                return Dispatched(_not_found(desk.request_id, doubt), settles=True)
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

    async def _from_drafts(
        self, desk: Desk, way: Way | Failed | Delayed, copy: Copy
    ) -> Dispatched | None:
        """Go on with what lies there; `None` where it is of no use any more, and gone."""
        submission, known = desk.submission, desk.submission.draft
        if known is None or known.id != copy.id:
            if not isinstance(way, ByDraft) and not self._is_stuck(copy):
                reason = "an earlier attempt lies in Drafts: Exchange may still be sending it"
                waits = Delayed(status="4.4.5", reason=reason, retry_after=LOOK_AGAIN)
                return Dispatched(waits, settles=True)
            number = len(way.attachments) if isinstance(way, ByDraft) else 0
            known = DraftProgress(id=copy.id, attachments=number, lost=_lost(submission, way))
        self._tell(submission, "it lies in Drafts, and goes on from there")
        fits = isinstance(way, ByDraft) and len(way.attachments) == known.attachments
        if isinstance(way, ByDraft) and fits:
            outcome = await by_draft.go_on(desk, way, known, self._largest_request)
        elif known.attached == known.attachments:
            outcome = await by_draft.send(desk, known)
        else:
            await desk.discard(known.id)
            return None
        return Dispatched(self._explained(desk, outcome), settles=True)

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


def _is_header_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.answer.code.casefold() in _HEADER_REFUSED


def _lost(submission: Submission, way: Prepared) -> tuple[str, ...]:
    """What does not go along, as far as it is known before anything is sent."""
    if submission.draft:
        return submission.draft.lost
    return () if isinstance(way, Failed | Delayed) else way.lost


def _found(request_id: str, lost: tuple[str, ...]) -> Relayed:
    said = "Found in the mailbox: an earlier attempt had sent it."
    answer = Answer(http_status=200, message=said, client_request_id=request_id)
    return Relayed(answer=answer, lost=lost)


def _not_found(request_id: str, doubt: Doubt) -> Uncertain:
    reason = "the mailbox shows neither the draft nor a copy, and is asked again before it is sent"
    answer = Answer(http_status=404, client_request_id=request_id)
    return Uncertain(reason=reason, answer=answer, draft=doubt.draft, looked=True)
