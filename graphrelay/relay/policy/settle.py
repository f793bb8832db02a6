"""Whether an earlier attempt has sent the message. Pure: it judges the result of a look-up.

    a copy of ours, not a draft      it was sent
    a copy of ours, a draft          Exchange is sending it, or was never asked to
    no copy                          it was not sent; or we asked a replica that is behind
    copies, none clearly ours        unclear

A Message-ID alone proves little: it is shared by the parts of a divided message, and by the
transactions of a program that sends to each recipient separately. A copy is the relay's if it also
has the same recipients and was created after the attempt began.

Exchange may have rewritten a recipient (an alias to its primary address). So if the relay created a
draft, a sent copy that Exchange created no earlier is the relay's whatever its recipients, if no
other known message has the Message-ID. The conversation id proves less: mail with the same subject
or References shares it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.graph.drafts import Copy
from graphrelay.model import Address, Attempt, Submission, Uncertain
from graphrelay.spool.values import MessageHistory

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far Exchange's clock may be behind the local one."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """At least one attempt may have sent the message."""

    since: datetime
    """When the first of them began."""
    draft: str = ""
    """The immutable id of the draft that the last of them would have sent."""
    looked: bool = False
    """Whether the mailbox has been searched since then without a result."""


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """It was sent; nothing is left to do."""


@dataclass(frozen=True, slots=True)
class StillDraft:
    """It is in Drafts."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class NotThere:
    """The mailbox has no copy."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The look-up does not settle it."""

    reason: str


Judgement = AlreadySent | StillDraft | NotThere | Unclear


def doubt_in(history: MessageHistory | None, submission_id: int) -> Doubt | None:
    """The doubt about one part, from the spool's history of the message."""
    parts = history.parts if history else ()
    attempts = [
        event
        for part in parts
        if part.submission_id == submission_id
        for event in part.history
        if isinstance(event, Attempt) and isinstance(event.outcome, Uncertain)
    ]
    if not attempts:
        return None
    outcomes = [event.outcome for event in attempts if isinstance(event.outcome, Uncertain)]
    drafts = [outcome.draft for outcome in outcomes if outcome.draft]
    since = min(attempt.started_at for attempt in attempts)
    return Doubt(since, drafts[-1] if drafts else "", outcomes[-1].looked)


def judge_draft(copies: Iterable[Copy]) -> Judgement:
    """What happened to a draft that was looked up by its immutable id."""
    for copy in copies:
        return StillDraft(copy) if copy.is_draft else AlreadySent()
    return NotThere()


def judge(
    copies: Iterable[Copy], submission: Submission, since: datetime, *, alone: bool = False
) -> Judgement:
    """The conclusion from all copies with the submission's Message-ID; sent ones count more than
    drafts, and newer drafts more than older ones. `alone`: whether no other submission has the
    Message-ID."""
    found = [copy for copy in copies if copy.created_at >= since - CLOCKS_DIFFER]
    redirected, whom = submission.plan.redirect_to, submission.envelope.forward_paths
    recipients = {path.key for path in ((Address.parse(redirected),) if redirected else whom)}
    ours = [copy for copy in found if copy.recipients == recipients]
    drafted = submission.draft.created_at if submission.draft and alone else None
    if drafted:
        ours += [copy for copy in found if not copy.is_draft and copy.created_at >= drafted]
    if any(not copy.is_draft for copy in ours):
        return AlreadySent()
    if ours:
        return StillDraft(max(ours, key=lambda copy: copy.created_at))
    if found:
        return Unclear("the mailbox has messages with this Message-ID, but for other recipients")
    return NotThere()
