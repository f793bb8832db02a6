"""Messages that Exchange writes itself: a client's JSON as the octets that are sent.

On this path the client's MIME never existed. What a `Composition` cannot hold is lost, as in
Exchange.
"""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from hashlib import sha256
from typing import Literal

from graphrelay.sandbox.mime import (
    Attachment,
    Person,
    fields_of,
    header_section,
    read_content,
    read_head,
    without_fields,
)

Importance = Literal["low", "normal", "high"]

IN_REPLY_TO, REFERENCES, LIST_UNSUBSCRIBE = "String 0x1042", "String 0x1039", "String 0x1045"
SENSITIVITY = "Integer 0x36"
_SENSITIVITIES = {"1": "Personal", "2": "Private", "3": "Company-Confidential"}
_BLOCK = 57 * 1024
"""Octets that are encoded at once; a multiple of 57, which make one line of base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A message as properties, the way Graph's `message` resource has it."""

    subject: str = ""
    body: str = ""
    is_html: bool = False
    sender: Person | None = None
    """`from`; the mailbox itself where it is `None`."""
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """`internetMessageHeaders`."""
    properties: tuple[tuple[str, str], ...] = ()
    """`singleValueExtendedProperties`: MAPI property id, value."""
    importance: Importance = "normal"
    message_id: str = ""
    read_receipt: bool = False
    delivery_receipt: bool = False
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        """Roughly what Exchange counts towards the mailbox's limit."""
        return len(self.body) + sum(len(one.content) for one in self.attachments)


def compose(message: Composition, sender: Person, now: datetime) -> bytes:
    """The whole message in the form of RFC 5322, every line short and in ASCII."""
    head = [f"{name}: {value}" for name, value in _head(message, sender, now)]
    return b"".join([*(f"{line}\r\n".encode() for line in head), *_body(message)])


def with_files(octets: bytes, files: tuple[Attachment, ...]) -> bytes:
    """MIME as it is, as the first part of a multipart/mixed with these files behind it."""
    if not files:
        return octets
    fields = fields_of(octets)
    own = [one for one in fields if one.name.lower().startswith("content-")]
    part = b"".join(octets[one.start : one.end] for one in own) + b"\r\n"
    part += octets[len(header_section(octets)) :].removeprefix(b"\r\n")
    head = without_fields(octets, fields, lambda name: name.startswith("content-"))
    mark = sha256(octets).hexdigest()[:24]
    return header_section(head) + b"".join(_multipart("mixed", mark, [[part], *map(_file, files)]))


def taken_apart(octets: bytes) -> Composition:
    """The properties that Exchange makes of MIME when a MIME draft is edited."""
    head, content = read_head(fields_of(octets)), read_content(octets)
    return Composition(
        subject=head.subject,
        body=content.html or content.text,
        is_html=bool(content.html),
        sender=head.sender[0] if head.sender else None,
        to=head.to,
        cc=head.cc,
        bcc=head.bcc,
        reply_to=head.reply_to,
        message_id=head.message_id,
        attachments=content.attachments,
    )


def with_attachment(message: Composition, attachment: Attachment) -> Composition:
    return replace(message, attachments=(*message.attachments, attachment))


def _head(message: Composition, sender: Person, now: datetime) -> Iterator[tuple[str, str]]:
    properties = dict(message.properties)
    yield "From", _mailboxes((message.sender or sender,))
    for name, people in (
        ("To", message.to),
        ("Cc", message.cc),
        ("Bcc", message.bcc),
        ("Reply-To", message.reply_to),
    ):
        if people:
            yield name, _mailboxes(people)
    yield "Subject", encoded(message.subject)
    yield "Message-ID", message.message_id
    yield "Date", format_datetime(now)
    for name, id_ in (
        ("In-Reply-To", IN_REPLY_TO),
        ("References", REFERENCES),
        ("List-Unsubscribe", LIST_UNSUBSCRIBE),
    ):
        if id_ in properties:
            yield name, _one_line(properties[id_])
    if sensitivity := _SENSITIVITIES.get(properties.get(SENSITIVITY, "")):
        yield "Sensitivity", sensitivity
    if message.importance != "normal":
        yield "Importance", message.importance
    if message.read_receipt:
        yield "Disposition-Notification-To", _mailboxes((message.sender or sender,))
    if message.delivery_receipt:
        yield "Return-Receipt-To", _mailboxes((message.sender or sender,))
    for name, value in message.headers:
        yield name, encoded(value)
    yield "MIME-Version", "1.0"


def _body(message: Composition) -> Iterator[bytes]:
    """mixed( related( text, inline files ), files ), as far as there is more than one part."""
    inline = [one for one in message.attachments if one.inline]
    files = [one for one in message.attachments if not one.inline]
    text = list(_text(message))
    mark = sha256(b"".join(text)).hexdigest()[:24]
    related = list(_multipart("related", mark, [text, *map(_file, inline)])) if inline else text
    yield from _multipart("mixed", mark, [related, *map(_file, files)]) if files else related


def _multipart(kind: str, mark: str, parts: "list[list[bytes]]") -> Iterator[bytes]:
    boundary = f"_000_{mark}{kind}_"
    yield f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    for part in parts:
        yield f"--{boundary}\r\n".encode()
        yield from part
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _text(message: Composition) -> Iterator[bytes]:
    kind = "html" if message.is_html else "plain"
    yield f'Content-Type: text/{kind}; charset="utf-8"\r\n'.encode()
    yield b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield from _base64(message.body.encode("utf-8", "surrogatepass"))


def _file(attachment: Attachment) -> list[bytes]:
    part = Message(policy=SMTP)
    name = _one_line(attachment.name)
    kind = _one_line(attachment.content_type)
    if kind.lower().startswith(("message/", "multipart/")):
        kind = "application/octet-stream"  # those may not be in base64 (RFC 2046 section 5.2.1)
    part.add_header("Content-Type", kind)
    part.set_param("name", name, charset="" if name.isascii() else "utf-8")
    part.add_header("Content-Disposition", "inline" if attachment.inline else "attachment")
    part.set_param(
        "filename",
        name,
        header="Content-Disposition",
        charset="" if name.isascii() else "utf-8",
    )
    if attachment.content_id:
        part.add_header("Content-ID", f"<{_one_line(attachment.content_id)}>")
    part.add_header("Content-Transfer-Encoding", "base64")
    return [part.as_bytes(), *_base64(attachment.content)]


def _base64(octets: bytes) -> Iterator[bytes]:
    """Lines of 76 characters. Slices of whole blocks: `base64.encodebytes` takes ten times as long,
    and a large attachment would delay all other requests."""
    for start in range(0, len(octets), _BLOCK):
        text = binascii.b2a_base64(octets[start : start + _BLOCK], newline=False)
        lines = [text[line : line + 76] for line in range(0, len(text), 76)]
        yield b"\r\n".join([*lines, b""])


_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP


def _mailboxes(people: tuple[Person, ...]) -> str:
    return ",\r\n ".join(_mailbox(person) for person in people)


def _mailbox(person: Person) -> str:
    """The address as it is: one that is not ASCII is in UTF-8 (RFC 6532)."""
    name, address = _one_line(person.name), _one_line(person.address)
    if not name:
        return address
    shown = formataddr((name, "x")).removesuffix(" <x>") if name.isascii() else encoded(name)
    return f"{shown} <{address}>"


def encoded(text: str) -> str:
    """On one logical line; in encoded words (RFC 2047) where it is not ASCII."""
    text = _one_line(text)
    if text.isascii():
        return text
    return Header(text, _UTF8, maxlinelen=76).encode(linesep="\r\n")


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", "").strip()
