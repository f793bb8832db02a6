"""Submission by a draft: for mail that must go exactly once, and for mail that is too large for one
request.

    create ─▶ attach ─▶ attach … ─▶ count ─▶ send
       │         │                    │
       └─────────┴── on the disk ─────┴── all attachments are there, or nothing is sent

After each step that Exchange has confirmed, the progress is recorded, so that the next attempt
continues there, even in another process. After a lost answer, the number of attachments shows what
happened: they are added one after the other, so the draft has as many as are recorded, or one more.
If it has any other number, somebody has changed the draft, and a new one is created.

A draft that was created as MIME, without its files, is read back before it is sent: what Exchange
makes of it is not documented (`mime_draft`). Where it would be sent without its files, or is
refused, it is deleted, and the message goes otherwise (`NotAsMime`).

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
from graphrelay.graph.drafts import Drafted, nothing_sent
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
from graphrelay.spool.changes import ForgetDraft
from graphrelay.spool.contract import Spool

PIECE = 10 * 320 * 1024
"""Octets of a chunk: below 4 MB (https://learn.microsoft.com/en-us/graph/outlook-large-attachments)
in any reading, and a multiple of 320 KiB, which other upload sessions of Graph require."""
SESSIONS = 3
"""Upload sessions that are opened for an attachment in one attempt."""
_NO_MIME = "errormimecontentconversionfailed"
UNREACHABLE = 2
"""Attempts that cannot connect to a session's host before another session is opened."""


@dataclass(frozen=True, slots=True)
class NotAsMime:
    """The draft could not be created as MIME, or has lost its files, and is deleted."""

    reason: str
    files_lost: bool = False


@dataclass(frozen=True, slots=True)
class Drafting:
    """One attempt at one message by way of Drafts."""

    session: MailboxSession
    spool: Spool
    submission: Submission
    most: int
    """Octets of the largest request."""
    clock: Clock

    async def begin(self, method: ByDraft) -> Outcome | NotAsMime:
        """Create the draft, complete it, send it."""
        made = await drafts.create(self.session, method.content)
        if not isinstance(made, Drafted):
            return _refused_as_mime(made) if method.from_mime else made
        number = len(method.attachments)
        progress = DraftProgress(
            id=made.id,
            created_at=made.created_at,
            attachments=number,
            from_mime=method.from_mime is not None,
            own=None if method.from_mime else 0,
            sending=not number,
            lost=method.lost,
        )
        try:
            await self._keep(progress)
        except StorageUnavailable:
            await self.discard(made.id)
            raise
        return await self._complete(method, progress)

    async def go_on(self, method: ByDraft, progress: DraftProgress) -> Outcome | NotAsMime:
        """Continue with a draft where an earlier attempt left it."""
        if not progress.attachments:
            return await self.send(progress)
        if progress.own is None:
            return await self._complete(method, progress)
        found = await self._added(progress)
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

    async def _added(self, progress: DraftProgress) -> int | Outcome:
        """How many attachments were added to the draft, as Exchange counts them."""
        found = await attachments.count(self.session, progress.id)
        return found - (progress.own or 0) if isinstance(found, int) else found

    async def _complete(self, method: ByDraft, progress: DraftProgress) -> Outcome | NotAsMime:
        if progress.own is None:
            own = await attachments.count(self.session, progress.id)
            if not isinstance(own, int):
                return own
            progress = replace(progress, own=own)
            await self._keep(progress)
        for number in range(progress.attached, progress.attachments):
            result = await self._attach(method.attachments[number], progress)
            if not isinstance(result, Attached):
                if isinstance(result, Failed):
                    await self.discard(progress.id)
                return result
            progress = replace(progress.without_upload(), attached=number + 1)
            await self._keep(progress)
        if progress.attachments:
            found = await self._added(progress)
            if not isinstance(found, int):
                return found
            if found != progress.attachments:
                return _miscounted(found, progress)
        if progress.from_mime:
            shown = await self._read_back(method, progress)
            if not isinstance(shown, DraftProgress):
                return shown
            progress = shown
        return await self.send(progress)

    async def _read_back(
        self, method: ByDraft, progress: DraftProgress
    ) -> DraftProgress | Outcome | NotAsMime:
        """With what Exchange has lost of the MIME, if the draft may be sent."""
        wanted = method.from_mime
        if wanted is None:
            return await self._given_up(progress, NotAsMime("the message goes otherwise by now"))
        reply = await drafts.beginning(self.session, progress.id, wanted.enough)
        outcome = nothing_sent(reply.outcome)
        if isinstance(outcome, Delayed | Paused) and not _is_refused(outcome):
            return outcome
        if not isinstance(outcome, Relayed):
            return await self._given_up(progress, NotAsMime(outcome.reason))
        lost = await wanted.lost_of(reply.body[: wanted.enough])
        if lost is not None:
            return replace(progress, lost=lost)
        reason = "Exchange does not show the files, a header field or a signature in it"
        return await self._given_up(progress, NotAsMime(reason, files_lost=True))

    async def _given_up(self, progress: DraftProgress, why: NotAsMime) -> NotAsMime:
        await self.discard(progress.id)
        return why

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
            found = await self._added(progress)
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


def _refused_as_mime(outcome: Outcome) -> Outcome | NotAsMime:
    """Whatever Graph has against it: JSON may be taken all the same."""
    if isinstance(outcome, Failed) or (isinstance(outcome, Delayed) and _is_refused(outcome)):
        return NotAsMime(outcome.reason)
    return outcome


def _is_refused(outcome: Delayed | Paused) -> bool:
    """Whether waiting would not help, though the table of codes does not know it."""
    code = outcome.answer.code.casefold()
    return outcome.answer.http_status in (400, 413, 415) or code == _NO_MIME


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
