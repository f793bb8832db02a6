"""Upload sessions: attachments of 3 MB and more, in pieces, in order (Outlook's, not OneDrive's).

    POST …/attachments/createUploadSession ──▶ uploadUrl, which carries its own authorization
    PUT uploadUrl  bytes 0-…/size ──▶ 200, next expected range … ──▶ 201, attached

A PUT that carries an Authorization header is refused, as the real one does: the token was made for
another audience. What Outlook does with a piece out of order is not documented; here it is 416.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from aiohttp import web

from graphrelay.sandbox.directory import User
from graphrelay.sandbox.graph.call import Call
from graphrelay.sandbox.graph.drafts import add_attachment, find_draft
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.faults import UploadAddress, UploadExpired
from graphrelay.sandbox.graph.view import attachment_id
from graphrelay.sandbox.mailbox_items import ItemId
from graphrelay.sandbox.mime import Attachment
from graphrelay.sandbox.tokens import Principal

LARGEST = 150 * 1024 * 1024
_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})\Z")


@dataclass(slots=True, kw_only=True)
class UploadSession:
    """One attachment being uploaded."""

    principal: Principal
    box: User
    draft: ItemId
    path: str
    meta: Attachment
    size: int
    expires_at: datetime
    received: bytearray = field(default_factory=bytearray, repr=False)


class Uploads:
    """The sessions that are open, by the token in their URL."""

    def __init__(self) -> None:
        self._open: dict[str, UploadSession] = {}

    async def create(self, call: Call) -> web.Response:
        """POST /messages/{id}/attachments/createUploadSession."""
        meta, size = _attachment_item(await call.json())
        item, _ = find_draft(call)
        settings = call.cloud.mailboxes.settings
        if size < settings.attachment_minimum:
            raise GraphError("ErrorAttachmentSizeShouldNotBeLessThanMinimumSize")
        if size > min(LARGEST, settings.message_limit):
            raise GraphError("ErrorMessageSizeExceeded")
        token = token_urlsafe(48)
        path = (
            f"/api/v2.0/Users('{call.box.oid}@{call.box.tenant_id}')"
            f"/Messages('{item.id(False)}')/AttachmentSessions('{token_urlsafe(24)}')"
        )
        session = UploadSession(
            principal=call.principal,
            box=call.box,
            draft=ItemId(item.serial, None),
            path=path,
            meta=meta,
            size=size,
            expires_at=call.cloud.now() + settings.upload_lifetime,
        )
        self._open[token] = session
        wrong = call.fault(UploadAddress)
        return call.answer(
            201,
            {
                "@odata.context": (
                    "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.uploadSession"
                ),
                "uploadUrl": (
                    wrong.address if wrong else f"{call.cloud.graph_url}{path}?authtoken={token}"
                ),
                "expirationDateTime": _precise(session.expires_at),
                "nextExpectedRanges": ["0-"],
            },
        )

    def session_of(self, request: web.Request, now: datetime) -> UploadSession:
        """The session that the URL names; raises `GraphError`."""
        if "Authorization" in request.headers:
            raise GraphError("InvalidAudienceForResource")
        token = request.query.get("authtoken", "")
        session = self._open.get(token)
        if session is None or request.path != session.path:
            raise GraphError("ErrorItemNotFound")
        if session.expires_at <= now:
            del self._open[token]
            raise GraphError("ErrorItemNotFound")
        return session

    async def piece(self, call: Call, session: UploadSession) -> web.Response:
        """PUT uploadUrl."""
        if call.fault(UploadExpired):
            self._close(session)
            raise GraphError("ErrorItemNotFound")
        start, end = _range(call, session)
        if start != len(session.received):
            raise GraphError(
                "ErrorInvalidRange",
                f"Expected the piece that starts at {len(session.received)}, got {start}.",
            )
        octets = await call.body()
        if len(octets) != end - start + 1:
            raise GraphError(
                "BadRequest",
                "The Content-Range header length does not match the provided number of bytes.",
            )
        session.received += octets
        if len(session.received) == session.size:
            return self._finish(call, session)
        return call.answer(
            200,
            {
                "@odata.context": (
                    "https://outlook.office.com/api/v2.0/$metadata#"
                    f"Users('{session.box.oid}')/Messages/AttachmentSessions/$entity"
                ),
                "ExpirationDateTime": _precise(session.expires_at),
                "nextExpectedRanges": [str(len(session.received))],
            },
        )

    def cancel(self, call: Call, session: UploadSession) -> web.Response:
        """DELETE uploadUrl."""
        self._close(session)
        return call.answer(204)

    def _finish(self, call: Call, session: UploadSession) -> web.Response:
        self._close(session)
        item = call.cloud.mailboxes.box(session.box).find(session.draft)
        if item is None:
            raise GraphError("ErrorItemNotFound")
        meta = session.meta
        whole = Attachment(
            meta.name, meta.content_type, bytes(session.received), meta.content_id, meta.inline
        )
        number = add_attachment(call, item, whole)
        place = session.path.partition("/AttachmentSessions")[0]
        location = f"https://outlook.office.com{place}/Attachments('{attachment_id(number)}')"
        return call.answer(201, headers={"Location": location})

    def _close(self, session: UploadSession) -> None:
        self._open = {token: one for token, one in self._open.items() if one is not session}


def _range(call: Call, session: UploadSession) -> tuple[int, int]:
    if call.content_type != "application/octet-stream":
        raise GraphError("UnsupportedMediaType")
    found = _RANGE.match(call.request.headers.get("Content-Range", ""))
    if found is None:
        raise GraphError("BadRequest", "The Content-Range header is missing or malformed.")
    start, end, size = map(int, found.groups())
    if size != session.size or not start <= end < size:
        raise GraphError("ErrorInvalidRange", "The range does not fit the size of the attachment.")
    if call.request.content_length not in (None, end - start + 1):
        raise GraphError(
            "BadRequest",
            "The Content-Range header length does not match the provided number of bytes.",
        )
    return start, end


def _attachment_item(value: dict[str, Any]) -> tuple[Attachment, int]:
    given = {name.lower(): one for name, one in value.items()}.get("attachmentitem")
    if not isinstance(given, dict):
        raise GraphError("UnableToDeserializePostBody")
    name, size, kind = given.get("name"), given.get("size"), given.get("attachmentType")
    known = {"attachmentType", "name", "size", "contentType", "isInline", "contentId"}
    if (
        not isinstance(name, str)
        or type(size) is not int
        or str(kind).lower() != "file"
        or given.keys() - known
    ):
        raise GraphError("UnableToDeserializePostBody")
    return Attachment(
        name,
        str(given.get("contentType") or "application/octet-stream"),
        b"",
        str(given.get("contentId") or "").strip("<>"),
        given.get("isInline") is True,
    ), size


def _precise(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z"
