"""A submission as Graph's `message` resource in JSON, for what cannot go as MIME.

    submission ── spliced header section, parts ──▶ Converted ──▶ draft(): fields for a draft
                                                        │          attachments: one by one
                                                        └──────▶ send_mail(): all in one request

The mapping of fields to properties follows MS-OXCMAIL section 2.1.3; fields without a property go
as `internetMessageHeaders`, of which Graph takes five that begin with `x-`. What cannot be
represented is listed in `Converted.lost`, never dropped silently.
(https://learn.microsoft.com/en-us/graph/api/resources/message)
"""

import asyncio
import base64
import html
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphrelay.mime import address_list, encoded_word, entity, reading
from graphrelay.mime.address_list import Member
from graphrelay.mime.header import HeaderSection
from graphrelay.model import (
    OctetsInMemory,
    OctetSource,
    StorageUnavailable,
    Submission,
    without_controls,
)
from graphrelay.relay.outgoing import as_mime, body_parts, charset, redirect
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.body_parts import MessageBody, Sealed

MOST_HEADERS = 5
_LONGEST_VALUE = 900

_PROPERTIES = {
    "in-reply-to": "String 0x1042",
    "references": "String 0x1039",
    "list-unsubscribe": "String 0x1045",
}
_SENSITIVITY = "Integer 0x36"
_SENSITIVITIES = {"personal": "1", "private": "2", "company-confidential": "3"}
_IMPORTANCE = {
    "importance": {"high": "high", "low": "low"},
    "priority": {"urgent": "high", "non-urgent": "low"},
    "x-priority": {"1": "high", "2": "high", "4": "low", "5": "low"},
    "x-msmail-priority": {"high": "high", "low": "low"},
}
_SAID_ELSEWHERE = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "message-id", "mime-version", "sensitivity"}
    | {"disposition-notification-to", "return-receipt-to", *_PROPERTIES, *_IMPORTANCE}
)
_IDENTITY = ("from", "to", "cc", "reply-to", "subject", "message-id", "sensitivity", *_PROPERTIES)
_RESERVED = ("x-ms-exchange-", "x-microsoft-exchange-")


@dataclass(frozen=True, slots=True)
class Converted:
    """A message in JSON."""

    fields: dict[str, Any]
    """Of the `message` resource, without attachments."""
    attachments: tuple[Attachment, ...]
    lost: tuple[str, ...]
    invites: bool = False
    """Whether Exchange would create a meeting request from it if it were sent as MIME."""

    def draft(self) -> bytes:
        """The body of `POST …/messages`; attachments are added to the draft one by one."""
        return _json(self.fields)

    async def send_mail(self, *, save_to_sent_items: bool) -> OctetSource:
        """The body of `POST …/sendMail`, attachments included. Raises `StorageUnavailable`."""
        return await asyncio.to_thread(self._send_mail, save_to_sent_items)

    def _send_mail(self, save_to_sent_items: bool) -> OctetSource:
        opened = _json(self.fields).removesuffix(b"}")
        pieces: list[bytes | Attachment] = [b'{"message":' + opened]
        for number, one in enumerate(self.attachments):
            described = _json(attachment(one)).removesuffix(b"}")
            pieces += [b"," if number else b',"attachments":[', described + b',"contentBytes":"']
            pieces += [one, b'"}']
        pieces.append(b"]" if self.attachments else b"")
        pieces.append(b"}}" if save_to_sent_items else b'},"saveToSentItems":false}')
        return _Request(tuple(pieces), sum(map(_length, pieces)))


async def convert(
    submission: Submission,
    *,
    most_headers: int = MOST_HEADERS,
    longest_body: int = body_parts.LONGEST_BODY,
) -> Converted | Sealed:
    """`most_headers` is 0 if Graph refused the header fields (InvalidInternetMessageHeader).

    Raises `StorageUnavailable` and `as_mime.UnreadableHeader`.
    """
    return await reading.of(submission.size, _convert, submission, most_headers, longest_body)


def _convert(submission: Submission, most_headers: int, longest_body: int) -> Converted | Sealed:
    section, start = as_mime.spliced(submission)
    body = submission.body
    try:
        whole = entity.read(section, body, start, body.size)
    except entity.TooTangled:
        return Sealed("The message has more parts than the relay can take apart")
    content = body_parts.take_apart(whole, longest_body)
    if isinstance(content, Sealed):
        return content
    headers, lost = _headers(section, most_headers)
    fields = {
        "subject": _text(section, "subject"),
        "body": _body(content, submission),
        "from": next(iter(_people(section, "from")), None),
        "toRecipients": _people(section, "to"),
        "ccRecipients": _people(section, "cc"),
        "bccRecipients": _people(section, "bcc"),
        "replyTo": _people(section, "reply-to"),
        "internetMessageId": submission.message_id,
        "importance": _importance(section),
        "isReadReceiptRequested": section.first("disposition-notification-to") is not None or None,
        "isDeliveryReceiptRequested": section.first("return-receipt-to") is not None or None,
        "internetMessageHeaders": headers,
        "singleValueExtendedProperties": _properties(section),
    }
    said = {name: value for name, value in fields.items() if value or name in ("subject", "body")}
    return Converted(said, content.attachments, (*content.lost, *lost), content.invites)


def _body(content: MessageBody, submission: Submission) -> dict[str, str]:
    text = content.text
    if submission.plan.redirect_to:
        note = redirect.note(submission)
        text = f"<pre>{html.escape(note)}</pre>{text}" if content.is_html else f"{note}\r\n{text}"
    return {"contentType": "html" if content.is_html else "text", "content": text}


# --- Fields --------------------------------------------------------------------------------------


def _text(section: HeaderSection, name: str) -> str:
    """Decoded, on one line."""
    found = section.first(name)
    if found is None:
        return ""
    value = section.unfolded(found)
    decoded = encoded_word.decode(value, charset.charset(section, value))
    return without_controls(decoded).strip(" ")


def _people(section: HeaderSection, name: str) -> list[dict[str, Any]]:
    return [
        _person(member)
        for found in section.find(name)
        for member in address_list.read(section.value(found)).members
        if member.address
    ]


def _person(member: Member) -> dict[str, Any]:
    named = address_list.decoded_name(member.name)
    address = {"address": str(member.address), **({"name": named} if named else {})}
    return {"emailAddress": address}


def _importance(section: HeaderSection) -> str | None:
    for name, meanings in _IMPORTANCE.items():
        words = _text(section, name).lower().split()
        if words and (found := meanings.get(words[0])):
            return found
    return None


def _properties(section: HeaderSection) -> list[dict[str, str]]:
    found = [
        {"id": tag, "value": value}
        for name, tag in _PROPERTIES.items()
        if (value := _text(section, name))
    ]
    if sensitivity := _SENSITIVITIES.get(_text(section, "sensitivity").lower()):
        found.append({"id": _SENSITIVITY, "value": sensitivity})
    return found


def _headers(section: HeaderSection, most: int) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    """Fields that Graph accepts by name, the sender's before the relay's, and the names of those
    lost."""
    wanted: dict[str, dict[str, str]] = {}
    lost: dict[str, None] = {}
    for found in section.find("*"):
        name = section.octets[found.start : found.value_start - 1].decode("ascii")
        value = _decoded(section.unfolded(found))
        if found.name in _SAID_ELSEWHERE or found.name.startswith("content-"):
            continue
        fits = found.name.startswith("x-") and 0 < len(value) <= _LONGEST_VALUE
        if fits and not found.name.startswith(_RESERVED) and found.name not in wanted:
            wanted[found.name] = {"name": name, "value": value}
        else:
            lost[name] = None
    ordered = sorted(wanted.values(), key=lambda one: one["name"].startswith("X-Graphrelay-"))
    lost |= {one["name"]: None for one in ordered[most:]}
    reported = [name for name in lost if not name.startswith("X-Graphrelay-")]
    return ordered[:most], as_mime.lost_fields(reported)


def kept(section: HeaderSection) -> frozenset[str]:
    """The fields, in lower case, that say the same in JSON, but for importance and receipts, which
    may be said by other fields."""
    headers, _ = _headers(section, MOST_HEADERS)
    named = {one["name"].lower() for one in headers}
    return frozenset(named | {one.name for one in section.find(*_IDENTITY)})


def _decoded(value: bytes) -> str:
    return without_controls(encoded_word.decode(value)).strip(" ")


def attachment(one: Attachment) -> dict[str, Any]:
    """A `fileAttachment`, without its octets."""
    described: dict[str, Any] = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": one.name,
        "contentType": one.content_type,
    }
    if one.content_id:
        described |= {"contentId": one.content_id, "isInline": one.inline}
    return described


async def attach_request(one: Attachment) -> OctetSource:
    """The body of `POST …/attachments`. Raises `StorageUnavailable`."""
    described = _json(attachment(one)).removesuffix(b"}") + b',"contentBytes":"'
    pieces: tuple[bytes | Attachment, ...] = (described, one, b'"}')
    size = await asyncio.to_thread(lambda: sum(map(_length, pieces)))
    return _Request(pieces, size)


async def upload_request(one: Attachment) -> OctetSource:
    """The body of `POST …/createUploadSession`. Raises `StorageUnavailable`."""
    described = await asyncio.to_thread(upload_item, one)
    return OctetsInMemory(_json({"AttachmentItem": described}))


def upload_item(one: Attachment) -> dict[str, Any]:
    """An `AttachmentItem`, for an upload session. Blocks if the size must be counted."""
    described: dict[str, Any] = {
        "attachmentType": "file",
        "name": one.name,
        "size": one.content.size,
        "contentType": one.content_type,
    }
    if one.content_id:
        described |= {"contentId": one.content_id, "isInline": one.inline}
    return described


# --- The request ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Request:
    """JSON with attachments in base64, which are read while they are sent."""

    pieces: tuple[bytes | Attachment, ...] = field(repr=False)
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        octets = self._octets()
        while piece := await asyncio.to_thread(next, octets, b""):
            yield piece

    def _octets(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if not isinstance(piece, Attachment):
                yield from [piece] if piece else []
                continue
            sent = 0
            for encoded in _base64(piece.content.pieces()):
                sent += len(encoded)
                yield encoded
            if sent != _length(piece):
                raise StorageUnavailable("an attachment changed while it was read")


def _length(piece: bytes | Attachment) -> int:
    return len(piece) if isinstance(piece, bytes) else -(-piece.content.size // 3) * 4


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        held += piece
        whole = len(held) - len(held) % 3
        yield from [base64.b64encode(held[:whole])] if whole else []
        held = held[whole:]
    yield from [base64.b64encode(held)] if held else []


def _json(value: object) -> bytes:
    """In UTF-8; lone surrogates become question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
