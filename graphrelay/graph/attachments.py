"""Attachments of a draft: small ones in a request each, large ones piece by piece.

    POST …/attachments                        the whole file, in base64, in one request
    POST …/attachments/createUploadSession    returns an upload URL, and then
    PUT  upload URL   bytes 0-…/size          200: where the next piece begins  …  201: attached

(https://learn.microsoft.com/en-us/graph/outlook-large-attachments) Nothing here sends mail, so no
outcome is `Uncertain`; but after a lost answer the attachment may be there or not. `count` finds
out, and its result, not what we remember, decides whether a draft is sent.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphrelay.graph.drafts import LONGEST, item_path, nothing_sent
from graphrelay.graph.http.answer import read_error
from graphrelay.graph.session import (
    GraphReply,
    Json,
    MailboxSession,
    upload_url,
)
from graphrelay.model import Delayed, Failed, OctetSource, Outcome, Relayed

_LONGEST = 1024 * 1024
_TOO_SMALL = "errorattachmentsizeshouldnotbelessthanminimumsize"
_MOST_PAGES = 100
_PATH = re.compile(r"/[!-~]*")
"""Of the next page; its host is ignored and Graph's is used."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The attachment was added."""


@dataclass(frozen=True, slots=True)
class WrongSize:
    """Too large for one request, or too small for an upload session: the other may work.
    Microsoft does not document the exact limits."""

    outcome: Failed | Delayed


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload session was opened; its URL carries its own authorization."""

    url: str = field(repr=False)
    expires_at: datetime | None = None
    """As Graph said, if it did."""


@dataclass(frozen=True, slots=True)
class UploadHostUnreachable:
    """No connection to the upload session's host could be made."""

    outcome: Delayed


@dataclass(frozen=True, slots=True)
class NextPiece:
    """A piece was stored; the next one begins at that octet."""

    at: int


@dataclass(frozen=True, slots=True)
class UploadClosed:
    """The upload session takes no more pieces: it has expired, or expects another one."""

    reason: str


async def attach(
    session: MailboxSession, draft: str, body: OctetSource
) -> Attached | WrongSize | Outcome:
    """Add a `fileAttachment` in one request. Raises what reading `body` raises."""
    path = f"{item_path(session, draft)}/attachments"
    reply = await session.request("POST", path, Json(body), keep=LONGEST)
    outcome = nothing_sent(reply.outcome)
    if isinstance(outcome, Relayed):
        return Attached()
    return _wrong_size(reply, outcome) or outcome


async def open_upload(
    session: MailboxSession, draft: str, body: OctetSource
) -> UploadSession | WrongSize | Outcome:
    """Open an upload session for the `AttachmentItem` that `body` describes."""
    path = f"{item_path(session, draft)}/attachments/createUploadSession"
    reply = await session.request("POST", path, Json(body), keep=_LONGEST)
    outcome = nothing_sent(reply.outcome)
    if not isinstance(outcome, Relayed):
        return _wrong_size(reply, outcome) or outcome
    document = _document(reply)
    url = document.get("uploadUrl")
    if isinstance(url, str) and upload_url(url) is not None:
        return UploadSession(url, _moment(document.get("expirationDateTime")))
    reason = "Graph opened an upload session and returned no URL that can be used"
    return Delayed(status="4.3.0", reason=reason, answer=outcome.answer)


async def put(
    session: MailboxSession, url: str, start: int, size: int, piece: OctetSource
) -> NextPiece | Attached | UploadClosed | UploadHostUnreachable | Delayed:
    """Upload the octets from `start` on, of an attachment of `size` octets. Raises what reading
    them raises.

    An upload session has no token that could be renewed, so every refusal but "later" ends it.
    """
    end = start + piece.size
    reply = await session.upload("PUT", url, f"bytes {start}-{end - 1}/{size}", piece)
    outcome = nothing_sent(reply.outcome)
    if reply.status == 201:
        return Attached()
    if 200 <= reply.status < 300:
        expected = _expected(_document(reply))
        return NextPiece(end if expected is None else expected)
    if not reply.status and not isinstance(outcome, Relayed):
        lost = Delayed(status="4.4.2", reason=f"a piece of an attachment: {outcome.reason}")
        return UploadHostUnreachable(lost) if reply.unreachable else lost
    code = read_error(reply.body).code or f"HTTP {reply.status}"
    if reply.status in (408, 429) or reply.status >= 500:
        wait = outcome.retry_after if isinstance(outcome, Delayed) else None
        reason = f"a piece of an attachment was not taken ({code})"
        return Delayed(status="4.3.2", reason=reason, retry_after=wait)
    return UploadClosed(code)


async def close_upload(session: MailboxSession, url: str) -> None:
    """Cancel an upload session. If that fails, it expires."""
    await session.upload("DELETE", url)


async def count(session: MailboxSession, draft: str) -> int | Outcome:
    """How many attachments a draft has."""
    path = f"{item_path(session, draft)}/attachments?$select=id"
    found = 0
    for _ in range(_MOST_PAGES):
        reply = await session.request("GET", path, keep=_LONGEST)
        outcome = nothing_sent(reply.outcome)
        if not isinstance(outcome, Relayed):
            return outcome
        document = _document(reply)
        listed, following = document.get("value"), document.get("@odata.nextLink")
        if not isinstance(listed, list):
            break
        found += len(listed)
        if following is None:
            return found
        path = str(following).partition("/v1.0")[2]
        if not _PATH.fullmatch(path):
            break
    return Delayed(status="4.3.0", reason="Graph gave no complete list of attachments")


def _wrong_size(reply: GraphReply, outcome: Outcome) -> WrongSize | None:
    if not isinstance(outcome, Failed | Delayed) or reply.answer is None:
        return None
    codes = [code.casefold() for code in read_error(reply.body).codes]
    if reply.status == 413 or _TOO_SMALL in codes or codes[:1] == ["badrequest"]:
        return WrongSize(outcome)
    return None


def _document(reply: GraphReply) -> dict[str, Any]:
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


def _expected(document: dict[str, Any]) -> int | None:
    """`nextExpectedRanges` comes as `["2097152"]`, and as `["2097152-"]`."""
    ranges = document.get("nextExpectedRanges")
    for one in ranges if isinstance(ranges, Iterable) else ():
        start = one.partition("-")[0] if isinstance(one, str) else ""
        if start.isascii() and start.isdigit() and len(start) < 13:
            return int(start)
    return None
