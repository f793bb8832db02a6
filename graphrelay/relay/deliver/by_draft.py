"""Submission by a draft: for mail that must go exactly once, and for mail that is too large for one
request.

    create ─▶ attach ─▶ attach … ─▶ count ─▶ send
       │         │                    │
       └─────────┴── on the disk ─────┴── all attachments are there, or nothing is sent

After each step that Exchange has confirmed, the progress is recorded, so that the next attempt
continues there, even in another process. After a lost answer, the number of attachments shows what
happened: they are added one after the other, so the draft has as many as are recorded, or one more.
If it has any other number, somebody has changed the draft, and a new one is created.

An upload continues at the piece where it broke off. If its session does not accept that piece any
more (it has expired, or has the piece already and the answer was lost), or its host could not be
reached `UNREACHABLE` times in a row, the attachment is uploaded again from the beginning, in a new
session.
"""

from dataclasses import dataclass, replace

from graphrelay.clock import Clock
from graphrelay.graph import attachments, drafts
from graphrelay.graph.attachments import (
    Attached,
    NextPiece,
    UploadClosed,
    UploadHostUnreachable,
    UploadSession,
    WrongSize,
)
from graphrelay.graph.drafts import Drafted
from graphrelay.graph.session import MailboxSession
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
from graphrelay.relay.outgoing import as_json
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.method import ByDraft
from graphrelay.relay.outgoing.upload_chunks import PieceReader
from graphrelay.spool import Spool
from graphrelay.spool.changes import ForgetDraft

PIECE = 10 * 320 * 1024
"""Octets of a chunk: below 4 MB (https://learn.microsoft.com/en-us/graph/outlook-large-attachments)
in any reading, and a multiple of 320 KiB, which other upload sessions of Graph require."""
SESSIONS = 3
"""Upload sessions that are opened for an attachment in one attempt."""
UNREACHABLE = 2
"""Attempts that cannot connect to a session's host before another session is opened."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """One attempt at one message by way of Drafts."""

    session: MailboxSession
    spool: Spool
    submission: Submission
    most: int
    """Octets of the largest request."""
    clock: Clock

    async def begin(self, method: ByDraft) -> Outcome:
        """Create the draft, complete it, send it."""
        made = await drafts.create(self.session, method.content)
        if not isinstance(made, Drafted):
            return made
        number = len(method.attachments)
        progress = DraftProgress(
            id=made.id,
            created_at=made.created_at,
            attachments=number,
            sending=not number,
            lost=method.lost,
        )
        try:
            await self._keep(progress)
        except StorageUnavailable:
            await self.discard(made.id)
            raise
        return await self._complete(method, progress)

    async def go_on(self, method: ByDraft, progress: DraftProgress) -> Outcome:
        """Continue with a draft where an earlier attempt left it."""
        if not progress.attachments:
            return await self.send(progress)
        found = await attachments.count(self.session, progress.id)
        if not isinstance(found, int):
            return found
        if found == progress.attached + 1 <= progress.attachments:
            progress = replace(progress.without_upload(), attached=found)
            await self._keep(progress)
        elif found != progress.attached:
            await self.discard(progress.id)
            return await self.begin(method)
        return await self._complete(method, progress)

    async def send(self, progress: DraftProgress) -> Outcome:
        """Send a draft that is complete. It is kept if it may have been sent, or may be later."""
        if not progress.sending:
            await self._keep(replace(progress, sending=True))
        outcome = await drafts.send(self.session, progress.id)
        match outcome:
            case Relayed() | Uncertain():
                return replace(outcome, lost=progress.lost)
            case Failed():
                await self.discard(progress.id)
        return outcome

    async def discard(self, draft: str) -> None:
        """Delete a draft; one that cannot be deleted now is deleted later (`stale_drafts`)."""
        if await drafts.delete(self.session, draft):
            await self.spool.change(ForgetDraft(self.submission.id, draft))

    async def _keep(self, progress: DraftProgress) -> None:
        await self.spool.keep_draft(self.submission, progress)

    async def _complete(self, method: ByDraft, progress: DraftProgress) -> Outcome:
        for number in range(progress.attached, progress.attachments):
            result = await self._attach(method.attachments[number], progress)
            if not isinstance(result, Attached):
                if isinstance(result, Failed):
                    await self.discard(progress.id)
                return result
            progress = replace(progress.without_upload(), attached=number + 1)
            await self._keep(progress)
        if progress.attachments:
            found = await attachments.count(self.session, progress.id)
            if not isinstance(found, int):
                return found
            if found != progress.attachments:
                return _miscounted(found, progress)
        return await self.send(progress)

    # One attachment ------------------------------------------------------------------------------

    async def _attach(self, one: Attachment, progress: DraftProgress) -> Attached | Outcome:
        """In one request if it fits, else by upload session; if Graph says that it is too large for
        the one or too small for the other, by the other."""
        request = await as_json.attach_request(one)
        if request.size <= self.most and not progress.upload_url:
            result = await attachments.attach(self.session, progress.id, request)
            if isinstance(result, WrongSize):
                result = await self._upload(one, progress)
        else:
            result = await self._upload(one, progress)
            if isinstance(result, WrongSize):
                result = await attachments.attach(self.session, progress.id, request)
        if isinstance(result, WrongSize):
            reason = f"the attachment {one.name!r}: {result.outcome.reason}"
            return replace(result.outcome, reason=reason)
        return result

    async def _upload(
        self, one: Attachment, progress: DraftProgress
    ) -> Attached | WrongSize | Outcome:
        content, why = PieceReader(one.content), ""
        expires = progress.upload_expires
        if expires is not None and expires <= self.clock.now():
            progress = progress.without_upload()
        for _ in range(SESSIONS):
            if not progress.upload_url:
                request = await as_json.upload_request(one)
                opened = await attachments.open_upload(self.session, progress.id, request)
                if not isinstance(opened, UploadSession):
                    return opened
                progress = replace(
                    progress, upload_url=opened.url, upload_expires=opened.expires_at, uploaded=0
                )
                await self._keep(progress)
            result = await self._pieces(one, content, progress)
            if not isinstance(result, UploadClosed):
                return result
            await attachments.close_upload(self.session, progress.upload_url)
            progress, why = progress.without_upload(), result.reason
            # Without its URL on the disk no attempt continues it; and if the attachment is complete
            # after all, the count shows it before anything is added or sent.
            await self._keep(progress)
            found = await attachments.count(self.session, progress.id)
            if not isinstance(found, int):
                return found
            if found == progress.attached + 1:
                return Attached()
        reason = f"the upload of {one.name!r} was interrupted {SESSIONS} times ({why})"
        return Delayed(status="4.3.2", reason=reason)

    async def _pieces(
        self, one: Attachment, content: PieceReader, progress: DraftProgress
    ) -> Attached | UploadClosed | Delayed:
        """Piece by piece; each confirmed one is recorded."""
        size, most = one.content.size, min(PIECE, self.most)
        while progress.uploaded < size:
            start = progress.uploaded
            piece = content.piece(start, min(most, size - start))
            result = await attachments.put(self.session, progress.upload_url, start, size, piece)
            match result:
                case NextPiece(at) if start < at < size:
                    progress = replace(progress, uploaded=at, upload_unreachable=0)
                    await self._keep(progress)
                case UploadHostUnreachable(outcome):
                    await self._keep(_unreachable(progress))
                    return outcome
                case NextPiece(at):
                    return UploadClosed(f"it asked for octet {at} of {size} after {start}")
                case _:
                    return result
        return UploadClosed("it has all octets, and did not confirm the attachment")


def _unreachable(progress: DraftProgress) -> DraftProgress:
    """Graph itself can be reached, since it has just counted: the session's URL is at fault."""
    times = progress.upload_unreachable + 1
    if times >= UNREACHABLE:
        return progress.without_upload()
    return replace(progress, upload_unreachable=times)


def _miscounted(found: int, progress: DraftProgress) -> Delayed:
    """Exchange may be slow to show the last one: `go_on` counts again before it gives it up."""
    wanted = f"the {progress.attachments} attachments that were added"
    return Delayed(status="4.3.0", reason=f"the draft shows {found} of {wanted}")


def only_large(outcome: Outcome, account: str) -> Outcome:
    """For a lane in which other mail goes without drafts: if the account may not create drafts,
    that does not stop the lane."""
    if not isinstance(outcome, Paused) or outcome.trouble is not Trouble.AUTHORIZATION:
        return outcome
    if outcome.answer.http_status != 403:
        return outcome
    reason = "the account may not create drafts, which large messages need (Mail.ReadWrite)"
    return Delayed(
        status="4.7.0",
        reason=f"{reason}; see: graphrelay status {account}",
        retry_after=outcome.retry_after,
        answer=outcome.answer,
    )
