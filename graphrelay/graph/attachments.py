"""Attachments of a draft: small ones in a request each, large ones piece by piece.

    POST …/attachments                        the whole file, in base64, in one request of Graph's
    POST …/attachments/createUploadSession    an address for it, and then
    PUT  that address   bytes 0-…/size        200: where the next piece begins  …  201: attached

(https://learn.microsoft.com/en-us/graph/outlook-large-attachments) Nothing here sends mail, so
nothing is ever `Uncertain`; but an answer that is lost leaves open whether the attachment is there.
`count` tells. It, and not what we remember, decides before a draft is sent.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphrelay.graph.client import Call, Upload, upload_host
from graphrelay.graph.drafts import LONGEST, Caller, item_path, nothing_sent
from graphrelay.graph.http.answer import HttpAnswer, read_error
from graphrelay.graph.http.exchange import Exchanged, NotSent
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import Delayed, Failed, OctetSource, Outcome, Relayed

_LONGEST = 1024 * 1024
_TOO_SMALL = "errorattachmentsizeshouldnotbelessthanminimumsize"
_MOST_PAGES = 100
_PATH = re.compile(r"/[!-~]*")
"""Of the next page: its host is Graph's, whatever is written there."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The attachment is there."""


@dataclass(frozen=True, slots=True)
class WrongSize:
    """Too large for one request, or too small for an upload session: the other way may do.
    Where exactly the limits are, Microsoft's documents leave open."""

    outcome: Failed | Delayed


@dataclass(frozen=True, slots=True)
class Session:
    """An upload session was opened; its address carries its own authorization."""

    url: str = field(repr=False)
    expires_at: datetime | None = None
    """As Graph said it, if it did."""


@dataclass(frozen=True, slots=True)
class NoWay:
    """No connection to the session's host came about."""

    outcome: Delayed


@dataclass(frozen=True, slots=True)
class Next:
    """A piece is there; the next one begins at that octet."""

    at: int


@dataclass(frozen=True, slots=True)
class SessionGone:
    """The session takes nothing more: expired, or not where we thought it was."""

    reason: str


async def attach(
    lane: Caller, mailbox: str, draft: str, body: OctetSource, token: str, client_request_id: str
) -> Attached | WrongSize | Outcome | TokenDoubt:
    """Add a `fileAttachment`, whole. Raises what reading `body` raises."""
    path = f"{item_path(mailbox, draft)}/attachments"
    call = Call("POST", path, token, client_request_id)
    result = await lane.call_with_json(call, body, keep=LONGEST)
    outcome = nothing_sent(lane.outcome(result, call))
    if isinstance(outcome, Relayed):
        return Attached()
    return _wrong_size(result, outcome) or outcome


async def open_session(
    lane: Caller, mailbox: str, draft: str, body: OctetSource, token: str, client_request_id: str
) -> Session | WrongSize | Outcome | TokenDoubt:
    """Begin an upload of the `AttachmentItem` that `body` describes."""
    path = f"{item_path(mailbox, draft)}/attachments/createUploadSession"
    call = Call("POST", path, token, client_request_id)
    result = await lane.call_with_json(call, body, keep=_LONGEST)
    outcome = nothing_sent(lane.outcome(result, call))
    if not isinstance(outcome, Relayed):
        return _wrong_size(result, outcome) or outcome
    document = _document(result)
    url = document.get("uploadUrl")
    if isinstance(url, str) and upload_host(url) is not None:
        return Session(url, _moment(document.get("expirationDateTime")))
    reason = "Graph opened an upload session and named no address for it that can be used"
    return Delayed(status="4.3.0", reason=reason, answer=outcome.answer)


async def put(
    lane: Caller, url: str, start: int, size: int, piece: OctetSource
) -> Next | Attached | SessionGone | NoWay | Delayed:
    """Upload octets from `start` on, of an attachment of `size`. Raises what reading them raises.

    A session has no token that could be renewed, so that every refusal but "later" ends it.
    """
    end = start + piece.size
    upload = Upload("PUT", url, f"bytes {start}-{end - 1}/{size}")
    result = await lane.upload(upload, piece)
    if not isinstance(result, HttpAnswer):
        lost = Delayed(status="4.4.2", reason=f"a piece of an attachment: {result.reason}")
        unreachable = isinstance(result, NotSent) and result.is_unreachable
        return NoWay(lost) if unreachable else lost
    if result.status == 201:
        return Attached()
    if 200 <= result.status < 300:
        expected = _expected(_document(result))
        return Next(end if expected is None else expected)
    code = read_error(result.body).code or f"HTTP {result.status}"
    outcome = nothing_sent(lane.outcome(result, Call("PUT", "", "", "")))
    if result.status in (408, 429) or result.status >= 500:
        wait = outcome.retry_after if isinstance(outcome, Delayed) else None
        reason = f"a piece of an attachment was not taken ({code})"
        return Delayed(status="4.3.2", reason=reason, retry_after=wait)
    return SessionGone(code)


async def close_session(lane: Caller, url: str) -> None:
    """Give a session up. If that fails it expires by itself."""
    await lane.upload(Upload("DELETE", url))


async def count(
    lane: Caller, mailbox: str, draft: str, token: str, client_request_id: str
) -> int | Outcome | TokenDoubt:
    """How many attachments a draft has."""
    path = f"{item_path(mailbox, draft)}/attachments?$select=id"
    found = 0
    for _ in range(_MOST_PAGES):
        call = Call("GET", path, token, client_request_id)
        result = await lane.call(call, keep=_LONGEST)
        outcome = nothing_sent(lane.outcome(result, call))
        if not isinstance(outcome, Relayed):
            return outcome
        document = _document(result)
        listed, following = document.get("value"), document.get("@odata.nextLink")
        if not isinstance(listed, list):
            break
        found += len(listed)
        if following is None:
            return found
        path = str(following).partition("/v1.0")[2]
        if not _PATH.fullmatch(path):
            break
    return Delayed(status="4.3.0", reason="Graph gave no whole list of attachments")


def _wrong_size(result: Exchanged, outcome: object) -> WrongSize | None:
    if not isinstance(outcome, Failed | Delayed) or not isinstance(result, HttpAnswer):
        return None
    codes = [code.casefold() for code in read_error(result.body).codes]
    if result.status == 413 or _TOO_SMALL in codes or codes[:1] == ["badrequest"]:
        return WrongSize(outcome)
    return None


def _document(result: Exchanged) -> dict[str, Any]:
    try:
        found = json.loads(result.body) if isinstance(result, HttpAnswer) else None
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
