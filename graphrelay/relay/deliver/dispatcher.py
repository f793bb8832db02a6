"""How a submission is sent to Graph, and whether it must be sent again.

    first attempt      by its method: in one request, or as a draft that is then sent
    later attempts     in doubt? look first ─▶ sent: done │ draft: continue │ nothing: send again
    header refused     send once more, without the header fields that Graph may have meant

`exact_once` relies on the draft: either it is still there, or a message with its Message-ID has
been sent since. If the mailbox shows neither, that proves nothing the first time, since Exchange
may answer from a replica that is behind: only after the second time, some minutes later, is a new
draft created. What stays unclear with `exact_once` is held, and never sent again unless a person
says so. Mail that leaves no copy cannot be looked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.graph import drafts
from graphrelay.graph.base64stream import encoded_size
from graphrelay.graph.drafts import Copy, MayNotLook, Seen
from graphrelay.graph.session import Json, MailboxSession, Mime
from graphrelay.journal import Journal, events
from graphrelay.model import (
    Answer,
    Delayed,
    DraftProgress,
    Failed,
    Lane,
    Outcome,
    Paused,
    Relayed,
    StorageUnavailable,
    Submission,
    Uncertain,
)
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.deliver import by_draft
from graphrelay.relay.deliver.by_draft import Drafting, NotAsMime
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.relay.outgoing import method
from graphrelay.relay.outgoing.method import (
    Allowance,
    AtOnce,
    ByDraft,
    Compose,
    SubmissionMethod,
)
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
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf, SharesMessageId
from graphrelay.spool.values import Interrupted

SENDING = timedelta(minutes=10)
"""How long Exchange may keep a message in Drafts after it was asked to send it."""
LOOK_AGAIN = timedelta(minutes=5)
MIME_DRAFT_ATTEMPTS = 5
"""Attempts at a message that may use a draft in MIME to which its files are added."""

_SIZE_EXCEEDED = "errormessagesizeexceeded"
_HEADER_REFUSED = {"invalidinternetmessageheader", "invalidinternetmessageheadercollection"}


@dataclass(frozen=True, slots=True)
class Dispatched:
    """`settles`: whether it can be found out later if it was sent."""

    outcome: Outcome
    settles: bool


Composed = SubmissionMethod | Failed | Delayed
"""What goes to Graph, and by which method; or why nothing can."""

_Look = Seen | MayNotLook | Delayed | Paused


class Dispatcher:
    """Has no state; every attempt is a call."""

    def __init__(
        self,
        compose: Compose,
        spool: Spool,
        options: Callable[[str], AccountOptions],
        on_uncertain: Literal["retry", "hold"],
        clock: Clock,
        journal: Journal,
        limits: RequestLimits,
    ) -> None:
        """`options` are those of the account with that name."""
        self._compose = compose
        self._spool = spool
        self._limits = limits
        self._options = options
        self._on_uncertain = on_uncertain
        self._clock = clock
        self._journal = journal

    def settles(self, submission: Submission) -> bool:
        """Whether it can be found out later if it was sent."""
        if submission.draft:
            return True
        plan = submission.plan
        return plan.save_to_sent_items and self._options(plan.lane.account).may_look

    def holds(self, account: str) -> bool:
        """Whether mail that may have been sent is held if that cannot be found out."""
        return self._on_uncertain == "hold" or self._options(account).exact_once

    def interrupted(self, submission: Submission, interrupted: Interrupted) -> Delayed | Uncertain:
        """The outcome of an attempt during which the process ended."""
        said, draft = Answer(client_request_id=interrupted.client_request_id), submission.draft
        if draft and not draft.sending:
            reason = "the relay was stopped while it created the draft"
            return Delayed(status="4.3.2", reason=reason, answer=said)
        reason = "the relay was stopped while the request was on its way"
        return Uncertain(reason=reason, answer=said)

    async def prepare(
        self,
        submission: Submission,
        *,
        at_once: bool = True,
        bare: bool = False,
        mime_draft: bool = True,
    ) -> Composed:
        """Compose what goes to Graph. If that fails, the message is delayed, and others go on.

        `at_once`: whether one request may carry it. `bare`: without the header fields that Graph
        refused. `mime_draft`: whether it may become a draft in MIME that is given its files.
        """
        lane, draft = submission.plan.lane, submission.draft
        options = self._options(lane.account)
        at_once = at_once and not (draft and draft.attachments)
        allowed = Allowance(
            options,
            self._limits.request,
            self._limits.mime(lane, large_messages=options.large_messages),
            at_once,
            bare,
            mime_drafts=mime_draft
            and submission.attempts < MIME_DRAFT_ATTEMPTS
            and self._limits.mime_drafts(lane),
        )
        try:
            return await method.choose(submission, allowed, self._compose)
        except (StorageUnavailable, OSError) as error:
            return unreadable(error)
        except Exception as error:
            return Delayed(status="4.3.0", reason=f"The message could not be prepared: {error!r}")

    async def dispatch(
        self, submission: Submission, composed: Composed, session: MailboxSession
    ) -> Dispatched:
        """Send it, unless an earlier attempt has sent it.

        Raises whatever reading the message raises; then nothing was sent.
        """
        most, clock = self._limits.request, self._clock
        drafting = Drafting(session, self._spool, submission, most, clock)
        if submission.attempts > 0 and self.settles(submission):
            history = await self._spool.read(HistoryOf(submission.queue_id))
            doubt = doubt_in(history, submission.id)
            if doubt or submission.draft or isinstance(composed, ByDraft):
                judged = await self._judge(session, submission, doubt)
                answered = await self._follow(drafting, composed, doubt, judged)
                if answered is not None:
                    return answered
        outcome = await self._send(drafting, composed)
        if _is_header_refused(outcome):
            composed = await self.prepare(submission, bare=True)
            outcome = await self._send(drafting, composed)
        await self._learn(submission.plan.lane, composed, outcome)
        if self._is_too_large(composed, outcome):
            if not self._options(submission.plan.lane.account).large_messages:
                return Dispatched(method.needs_large_messages(outcome), self.settles(submission))
            composed = await self.prepare(submission, at_once=False)
            outcome = await self._send(drafting, composed)
        settles = isinstance(composed, ByDraft | Delayed) or self.settles(submission)
        return Dispatched(outcome, settles)

    async def _send(self, drafting: Drafting, composed: Composed) -> Outcome:
        """Send by the given method, as in a first attempt."""
        match composed:
            case AtOnce(content, lost):
                outcome = await drafting.session.send(content)
                if lost and isinstance(outcome, Relayed | Uncertain):
                    return replace(outcome, lost=lost)
                return outcome
            case ByDraft():
                return await self._drafted(drafting, await drafting.begin(composed))
            case _:
                return composed

    async def _drafted(self, drafting: Drafting, outcome: Outcome | NotAsMime) -> Outcome:
        """What came of a draft; where it could not be MIME, the message goes as JSON after all."""
        if not isinstance(outcome, NotAsMime):
            return self._explained(drafting, outcome)
        submission = drafting.submission
        if outcome.files_lost:
            self._limits.files_lost(submission.plan.lane)
        self._journal.write(events.MimeDraftGivenUp(submission.queue_id, outcome.reason))
        other = await self.prepare(submission, at_once=False, mime_draft=False)
        return await self._send(drafting, other)

    async def _learn(self, lane: Lane, composed: Composed, outcome: Outcome) -> None:
        """From the answer to a message as MIME, which may be larger than what is documented."""
        match composed:
            case AtOnce(Mime(octets)) | ByDraft(Mime(octets), ()):
                size = encoded_size(octets.size)
            case _:
                return
        if isinstance(outcome, Relayed):
            self._limits.taken(lane, size)
        elif self._is_too_large(composed, outcome) or _is_other_success(outcome):
            await self._limits.refused(lane, size)

    def _is_too_large(self, composed: Composed, outcome: Outcome) -> bool:
        """Whether Graph takes less in one request than was tried. "4 MB" can be read in two ways,
        and the answer is 413, ErrorMessageSizeExceeded, or 400 with an unspecific code."""
        match composed:
            case AtOnce(content) | ByDraft(Mime() as content, ()):
                size = content.octets.size
            case _:
                return False
        if not isinstance(outcome, Failed | Delayed):
            return False
        code = outcome.answer.code.casefold()
        if outcome.answer.http_status == 413 or code == _SIZE_EXCEEDED:
            return True
        size = size if isinstance(content, Json) else encoded_size(size)
        return code == "badrequest" and size > self._limits.request // 2

    def _explained(self, drafting: Drafting, outcome: Outcome) -> Outcome:
        account = drafting.submission.plan.lane.account
        if self._options(account).exact_once:
            return outcome
        return by_draft.only_large(outcome, account)

    async def _judge(
        self, session: MailboxSession, submission: Submission, doubt: Doubt | None
    ) -> Judgement | Delayed | Paused:
        draft = submission.draft.id if submission.draft else doubt.draft if doubt else ""
        if draft:
            seen = await drafts.look_at(session, draft)
            if not isinstance(seen, Seen) or seen.copies:
                return _judged(seen, judge_draft)
        found = await drafts.find(session, submission.message_id)
        since = doubt.since if doubt else submission.received_at
        alone = not await self._spool.read(
            SharesMessageId(submission.message_id, besides=submission.id)
        )
        return _judged(found, lambda copies: judge(copies, submission, since, alone=alone))

    async def _follow(
        self,
        drafting: Drafting,
        composed: Composed,
        doubt: Doubt | None,
        judged: Judgement | Delayed | Paused,
    ) -> Dispatched | None:
        """What follows from the look-up; `None`: the message must be sent as in a first attempt."""
        submission = drafting.submission
        match judged:
            case AlreadySent():
                self._log(submission, "it had been sent")
                request_id = drafting.session.client_request_id
                return Dispatched(_found(request_id, _lost(submission, composed)), settles=True)
            case StillDraft(copy):
                return await self._from_drafts(drafting, composed, copy)
            case NotThere() if doubt and not doubt.looked and (doubt.draft or submission.draft):
                request_id = drafting.session.client_request_id
                return Dispatched(_not_found(request_id, doubt), settles=True)
            case NotThere():
                if doubt:
                    self._log(submission, "it had not been sent, and is sent again")
                return None
            case Unclear(reason) if doubt and self.holds(submission.plan.lane.account):
                return Dispatched(Uncertain(reason=reason), settles=False)
            case Unclear(reason):
                if doubt:
                    self._log(submission, f"{reason}; it is sent again")
                return None
            case Delayed() | Paused():
                return Dispatched(judged, settles=True)

    async def _from_drafts(
        self, drafting: Drafting, composed: Composed, copy: Copy
    ) -> Dispatched | None:
        """Continue with the draft; `None` if it could not be used and was deleted."""
        submission, known = drafting.submission, drafting.submission.draft
        if known is None or known.id != copy.id:
            if not isinstance(composed, ByDraft) and not self._is_stuck(copy):
                reason = (
                    "it is still in Drafts after an earlier attempt: Exchange may be sending it"
                )
                waits = Delayed(status="4.4.5", reason=reason, retry_after=LOOK_AGAIN)
                return Dispatched(waits, settles=True)
            number = len(composed.attachments) if isinstance(composed, ByDraft) else 0
            if known is None and number:  # its content is not known, and it was never sent
                await drafting.discard(copy.id)
                return None
            lost = _lost(submission, composed)
            known = DraftProgress(id=copy.id, attachments=number, lost=lost)
        self._log(submission, "it is in Drafts, and is sent from there")
        if isinstance(composed, ByDraft) and len(composed.attachments) == known.attachments:
            outcome = await self._drafted(drafting, await drafting.go_on(composed, known))
        elif known.attached == known.attachments and not known.from_mime:
            outcome = self._explained(drafting, await drafting.send(known))
        else:
            await drafting.discard(known.id)
            return None
        return Dispatched(outcome, settles=True)

    def _is_stuck(self, copy: Copy) -> bool:
        return copy.created_at + SENDING <= self._clock.now()

    def _log(self, submission: Submission, found: str) -> None:
        self._journal.write(events.Settled(submission.queue_id, found))


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


def unreadable(error: Exception) -> Delayed:
    """The outcome of an attempt whose message cannot be read from the disk."""
    reason = f"The message could not be read from the disk: {error}"
    return Delayed(status="4.3.0", reason=reason)


def _is_other_success(outcome: Outcome) -> bool:
    """A 2xx that does not say that the message was taken."""
    return isinstance(outcome, Uncertain) and 200 <= (outcome.answer.http_status or 0) < 300


def _is_header_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.answer.code.casefold() in _HEADER_REFUSED


def _lost(submission: Submission, composed: Composed) -> tuple[str, ...]:
    """What is lost of the message, as far as known before anything is sent."""
    if submission.draft:
        return submission.draft.lost
    return () if isinstance(composed, Failed | Delayed) else composed.lost


def _found(request_id: str, lost: tuple[str, ...]) -> Relayed:
    said = "Found in the mailbox: an earlier attempt had sent it."
    answer = Answer(http_status=200, message=said, client_request_id=request_id)
    return Relayed(answer=answer, lost=lost)


def _not_found(request_id: str, doubt: Doubt) -> Uncertain:
    reason = "the mailbox shows neither the draft nor a copy, and is asked again before it is sent"
    answer = Answer(http_status=404, client_request_id=request_id)
    return Uncertain(reason=reason, answer=answer, draft=doubt.draft, looked=True)
