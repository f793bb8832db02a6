"""A message put together in Drafts: for mail that must go exactly once, and for mail that is too
large for one request. It is one mechanism.

    create ─▶ attach ─▶ attach … ─▶ count ─▶ send
       │         │                    │
       └─────────┴── on the disk ─────┴── as many as there should be, or nothing is sent

After each step that Exchange has confirmed, how far it got is written down, so that the next
attempt goes on there, be it by another process. What an answer that was lost leaves open, the
number of attachments tells: they are added one after the other, so that there is either as many as
we know of, or one more. Anything else is a draft that somebody has changed: it is made anew.

An upload is taken up at the piece where it broke. Where its session takes that piece no more
(expired, or it has it already and the answer was lost), or its host could not be connected to
`UNREACHABLE` times in a row, the attachment is uploaded anew, in another session.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from graphrelay.clock import Clock
from graphrelay.graph import attachments, drafts
from graphrelay.graph.attachments import (
    Attached,
    Next,
    NoWay,
    Session,
    SessionGone,
    WrongSize,
)
from graphrelay.graph.drafts import Drafted
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import (
    Delayed,
    DraftProgress,
    Failed,
    Outcome,
    Paused,
    Relayed,
    StorageUnavailable,
    Submission,
    Trouble,
    Uncertain,
)
from graphrelay.relay.deliver.bearer import Bearer
from graphrelay.relay.outgoing import as_json
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.method import ByDraft
from graphrelay.relay.outgoing.upload_chunks import PieceReader
from graphrelay.spool import Spool
from graphrelay.spool.changes import ForgetDraft

T = TypeVar("T")

PIECE = 10 * 320 * 1024
"""Octets of a piece: below 4 MB (https://learn.microsoft.com/en-us/graph/outlook-large-attachments)
by any reading, and a multiple of 320 KiB, which upload sessions elsewhere in Graph ask for."""
SESSIONS = 3
"""Upload sessions that are opened for an attachment in one attempt."""
UNREACHABLE = 2
"""Attempts that find no way to a session's host before another session is opened."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every request of one attempt needs."""

    lane: drafts.Caller
    mailbox: str
    bearer: Bearer
    request_id: str
    spool: Spool
    submission: Submission
    clock: Clock

    async def ask(self, request: Callable[..., Awaitable[T | TokenDoubt]]) -> T | Paused | Delayed:
        """A request with a token that Graph takes."""
        return await self.bearer.use(partial(request, client_request_id=self.request_id))

    async def keep(self, progress: DraftProgress) -> None:
        await self.spool.keep_draft(self.submission, progress)

    async def discard(self, draft: str) -> None:
        """Take a draft away; one that stays is taken away later (`leftovers`)."""
        gone = await self.ask(partial(drafts.delete, self.lane, self.mailbox, draft))
        if gone is True:
            await self.spool.change(ForgetDraft(self.submission.id, draft))


async def begin(desk: Desk, way: ByDraft, most: int) -> Outcome:
    """Make the draft, complete it, send it. `most`: octets of the largest request."""
    made: Drafted | Outcome = await desk.ask(
        partial(drafts.create, desk.lane, desk.mailbox, way.content)
    )
    if not isinstance(made, Drafted):
        return made
    number = len(way.attachments)
    progress = DraftProgress(id=made.id, attachments=number, sending=not number, lost=way.lost)
    try:
        await desk.keep(progress)
    except StorageUnavailable:
        await desk.discard(made.id)
        raise
    return await _complete(desk, way, progress, most)


async def go_on(desk: Desk, way: ByDraft, progress: DraftProgress, most: int) -> Outcome:
    """Take a draft up where an earlier attempt left it."""
    if not progress.attachments:
        return await send(desk, progress)
    found = await _counted(desk, progress)
    if not isinstance(found, int):
        return found
    if found == progress.attached + 1 <= progress.attachments:
        progress = replace(progress.without_upload(), attached=found)
        await desk.keep(progress)
    elif found != progress.attached:
        await desk.discard(progress.id)
        return await begin(desk, way, most)
    return await _complete(desk, way, progress, most)


async def send(desk: Desk, progress: DraftProgress) -> Outcome:
    """Send a draft that is complete. It stays where it may have been sent, or may be later."""
    if not progress.sending:
        await desk.keep(replace(progress, sending=True))
    outcome: Outcome = await desk.ask(partial(drafts.send, desk.lane, desk.mailbox, progress.id))
    match outcome:
        case Relayed() | Uncertain():
            return replace(outcome, lost=progress.lost)
        case Failed():
            await desk.discard(progress.id)
    return outcome


async def _complete(desk: Desk, way: ByDraft, progress: DraftProgress, most: int) -> Outcome:
    for number in range(progress.attached, progress.attachments):
        result = await _attach(desk, way.attachments[number], progress, most)
        if not isinstance(result, Attached):
            if isinstance(result, Failed):
                await desk.discard(progress.id)
            return result
        progress = replace(progress.without_upload(), attached=number + 1)
        await desk.keep(progress)
    if progress.attachments:
        found = await _counted(desk, progress)
        if not isinstance(found, int):
            return found
        if found != progress.attachments:
            return _miscounted(found, progress)
    return await send(desk, progress)


async def _counted(desk: Desk, progress: DraftProgress) -> int | Outcome:
    found: int | Outcome = await desk.ask(
        partial(attachments.count, desk.lane, desk.mailbox, progress.id)
    )
    return found


def _miscounted(found: int, progress: DraftProgress) -> Delayed:
    """Exchange may be slow to show the last one: `go_on` looks again before it gives it up."""
    wanted = f"the {progress.attachments} attachments that were put there"
    return Delayed(status="4.3.0", reason=f"the draft shows {found} of {wanted}")


# --- One attachment ------------------------------------------------------------------------------


async def _attach(
    desk: Desk, one: Attachment, progress: DraftProgress, most: int
) -> Attached | Outcome:
    """In one request if that takes it, else by upload session; if Graph says that it is too large
    for the one or too small for the other, the other way round."""
    request = await as_json.attach_request(one)
    at_once = partial(attachments.attach, desk.lane, desk.mailbox, progress.id, request)
    if request.size <= most and not progress.upload_url:
        result: Attached | WrongSize | Outcome = await desk.ask(at_once)
        if isinstance(result, WrongSize):
            result = await _upload(desk, one, progress, most)
    else:
        result = await _upload(desk, one, progress, most)
        if isinstance(result, WrongSize):
            result = await desk.ask(at_once)
    return (
        replace(result.outcome, reason=_named(one, result))
        if isinstance(result, WrongSize)
        else result
    )


def _named(one: Attachment, wrong: WrongSize) -> str:
    return f"the attachment {one.name!r}: {wrong.outcome.reason}"


async def _upload(
    desk: Desk, one: Attachment, progress: DraftProgress, most: int
) -> Attached | WrongSize | Outcome:
    content, gone = PieceReader(one.content), ""
    expires = progress.upload_expires
    if expires is not None and expires <= desk.clock.now():
        progress = progress.without_upload()
    for _ in range(SESSIONS):
        if not progress.upload_url:
            request = await as_json.upload_request(one)
            opened: Session | WrongSize | Outcome = await desk.ask(
                partial(attachments.open_session, desk.lane, desk.mailbox, progress.id, request)
            )
            if not isinstance(opened, Session):
                return opened
            progress = replace(
                progress, upload_url=opened.url, upload_expires=opened.expires_at, uploaded=0
            )
            await desk.keep(progress)
        result = await _pieces(desk, one, content, progress, min(PIECE, most))
        if not isinstance(result, SessionGone):
            return result
        await attachments.close_session(desk.lane, progress.upload_url)
        progress, gone = progress.without_upload(), result.reason
        # Without its address on the disk nobody goes on with it; and if the whole was there after
        # all, the count says so before anything is added or sent.
        await desk.keep(progress)
        found = await _counted(desk, progress)
        if not isinstance(found, int):
            return found
        if found == progress.attached + 1:
            return Attached()
    reason = f"the upload of {one.name!r} was broken off {SESSIONS} times ({gone})"
    return Delayed(status="4.3.2", reason=reason)


async def _pieces(
    desk: Desk, one: Attachment, content: PieceReader, progress: DraftProgress, most: int
) -> Attached | SessionGone | Delayed:
    """Piece by piece, each confirmed one written down."""
    size = one.content.size
    while progress.uploaded < size:
        start = progress.uploaded
        piece = content.piece(start, min(most, size - start))
        result = await attachments.put(desk.lane, progress.upload_url, start, size, piece)
        match result:
            case Next(at) if start < at < size:
                progress = replace(progress, uploaded=at, upload_unreachable=0)
                await desk.keep(progress)
            case NoWay(outcome):
                await desk.keep(_unreachable(progress))
                return outcome
            case Next(at):
                return SessionGone(f"it asked for octet {at} of {size} after {start}")
            case _:
                return result
    return SessionGone("it has all octets, and did not say that the attachment is there")


def _unreachable(progress: DraftProgress) -> DraftProgress:
    """Graph itself can be reached, since it has just counted: the session's address is at fault."""
    times = progress.upload_unreachable + 1
    if times >= UNREACHABLE:
        return progress.without_upload()
    return replace(progress, upload_unreachable=times)


def only_large(outcome: Outcome, account: str) -> Outcome:
    """For a lane in which other mail goes without drafts: that it may not make any does not stop
    the lane."""
    if not isinstance(outcome, Paused) or outcome.trouble is not Trouble.AUTHORIZATION:
        return outcome
    if outcome.answer.http_status != 403:
        return outcome
    reason = "the account may not make drafts, which messages of this size need (Mail.ReadWrite)"
    return Delayed(
        status="4.7.0",
        reason=f"{reason}; see: graphrelay status {account}",
        retry_after=outcome.retry_after,
        answer=outcome.answer,
    )
