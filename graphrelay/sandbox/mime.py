"""Reading messages as Exchange would: the header section at once, the body when it is needed.

Graph gets no envelope. The recipients of a message are in its To, Cc and Bcc headers and nowhere
else, so the header section is read when a message is submitted. It is cut by byte ranges and never
rewritten: the submitted octets are sent, without the lines that were removed. The body is parsed
only for people and tests that read it (`read_content`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email import utils as email_utils
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses
from typing import NamedTuple, TypeAlias

__all__ = [
    "Attachment",
    "Content",
    "Field",
    "Head",
    "Person",
    "as_transported",
    "fields_of",
    "header_section",
    "people",
    "read_content",
    "read_head",
    "readable",
    "resolvable",
    "without_fields",
]

_LENIENT = {"strict": False} if hasattr(email_utils, "supports_strict_parsing") else {}
"""Pythons with the `strict` parameter read `user@[192.0.2.1]` as nobody with it, and it is their
default; older ones have no such parameter."""

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)", re.MULTILINE)
_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_PLAIN = re.compile(r"\s*(?:([\w .'-]*?)\s*<([^\s<>\"(),:;@\\]+@[^\s<>\"(),:;@\\]+)>"
                    r"|([^\s<>\"(),:;@\\]+@[^\s<>\"(),:;@\\]+))\s*\Z")  # fmt: skip
_RESOLVABLE = re.compile(r'(?:"(?:[^"\\]|\\.)+"|[^\s<>"(),:;@\\\[\]]+)@[^\s<>"(),:;@\\]+\Z')
_SOFT_BREAK_WITHOUT_CR = re.compile(rb"=(?=\n)")
_BARE_LF = re.compile(rb"(?<!\r)\n")


class Field(NamedTuple):
    """One header field (RFC 5322 section 2.2) and its position."""

    name: str
    value: bytes
    """What follows the colon, still folded, with its line ends."""
    start: int
    end: int

    @property
    def text(self) -> str:
        """Unfolded, without white space around it; encoded words (RFC 2047) unchanged."""
        return _FOLD.sub("", _as_text(self.value)).strip()


@dataclass(frozen=True, slots=True)
class Person:
    """A display name and an address, as one mailbox of an address list has it."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the header section says about who, what and when."""

    sender: tuple[Person, ...] = ()
    """The From header."""
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    subject: str = ""
    message_id: str = ""
    """With its angle brackets."""
    date: str = ""

    @property
    def recipients(self) -> tuple[Person, ...]:
        """Everybody whom Exchange sends to, as the headers list them."""
        return self.to + self.cc + self.bcc


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message that a mail reader offers as a file, or shows inside the HTML."""

    name: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str = ""
    """Without angle brackets; empty where there is none."""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """The body as a mail reader sees it. Absent is the empty string."""

    text: str
    html: str
    attachments: tuple[Attachment, ...]


def header_section(octets: bytes) -> bytes:
    """The header section, without the blank line that ends it."""
    end = _BLANK_LINE.search(octets)
    return octets[: end.start()] if end else octets


def fields_of(octets: bytes) -> list[Field]:
    """The header fields in their order. Other lines are skipped."""
    head = header_section(octets)
    if not head.endswith(b"\n"):
        head += b"\n"
    size = len(octets)
    return [
        Field(found[1].decode("ascii"), found[2], found.start(), min(found.end(), size))
        for found in _FIELD.finditer(head)
    ]


def read_head(fields: Iterable[Field]) -> Head:
    """Read the fields that decide who receives, and those by which people recognise a message."""
    values: dict[str, list[Field]] = {}
    for one in fields:
        values.setdefault(one.name.lower(), []).append(one)
    return Head(
        sender=people(values.get("from", ())),
        to=people(values.get("to", ())),
        cc=people(values.get("cc", ())),
        bcc=people(values.get("bcc", ())),
        reply_to=people(values.get("reply-to", ())),
        subject=readable(_first(values, "subject")),
        message_id=_first(values, "message-id"),
        date=_first(values, "date"),
    )


def people(fields: Iterable[Field]) -> tuple[Person, ...]:
    """All mailboxes of these address fields; members of groups included, empty groups ignored."""
    return tuple(person for one in fields for person in _people(one.text))


def readable(text: str) -> str:
    """Decode the encoded words of RFC 2047; what cannot be decoded stays as it is."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text)
    except (ValueError, HeaderParseError):
        return text
    return "".join(
        piece if isinstance(piece, str) else _decoded(piece, charset) for piece, charset in pieces
    )


def resolvable(address: str) -> bool:
    """Whether Exchange would accept this as an address."""
    return _RESOLVABLE.match(address) is not None


def without_fields(
    octets: bytes, fields: Iterable[Field], unwanted: Callable[[str], bool]
) -> bytes:
    """The same octets without those of its fields whose lower-case name is unwanted."""
    start, pieces = 0, []
    for one in fields:
        if unwanted(one.name.lower()):
            pieces.append(octets[start : one.start])
            start = one.end
    return b"".join((*pieces, octets[start:])) if pieces else octets


def as_transported(octets: bytes) -> bytes:
    """Line ends as Exchange's transport leaves them: CRLF.

    A message that came with bare LF and quoted-printable parts is damaged on the way: the soft
    line break `=` LF is not recognised and stays in the text. Seen in the field, and the
    reason why a relay must make line ends canonical before it encodes the message.
    """
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    if b"quoted-printable" in octets.lower():
        octets = _SOFT_BREAK_WITHOUT_CR.sub(b"=3D", octets)
    return _BARE_LF.sub(b"\r\n", octets)


def read_content(octets: bytes) -> Content:
    """Parse the whole message for a reader. Never fails: malformed parts are shown as text."""
    text: list[str] = []
    html: list[str] = []
    attachments: list[Attachment] = []
    for part in _leaves(message_from_bytes(octets, policy=compat32)):
        kind, name = part.get_content_type(), _file_name(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        if kind == "text/plain" and not attached:
            text.append(_text_of(part))
        elif kind == "text/html" and not attached:
            html.append(_text_of(part))
        else:
            attachments.append(_attachment(part, kind, name, len(attachments)))
    return Content("\n".join(text), "\n".join(html), tuple(attachments))


# --- Details of the header section ---------------------------------------------------------------


def _first(values: dict[str, list[Field]], name: str) -> str:
    found = values.get(name)
    return found[0].text if found else ""


def _people(text: str) -> Iterator[Person]:
    if plain := _PLAIN.match(text):
        yield Person(plain[1] or "", plain[2] or plain[3])
        return
    for name, address in getaddresses([text], **_LENIENT):
        if address or name:
            yield Person(readable(name), address or name)


def _as_text(octets: bytes) -> str:
    """Raw UTF-8 as SMTPUTF8 writes it; else the octets one by one."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def _decoded(octets: bytes, charset: str | None) -> str:
    for attempt in (charset, "utf-8"):
        if attempt:
            try:
                return octets.decode(attempt)
            except (LookupError, ValueError):
                continue
    return octets.decode("cp1252", "replace")


# --- Details of the body -------------------------------------------------------------------------

_Part: TypeAlias = "Message[str, str]"


def _leaves(part: _Part) -> Iterator[_Part]:
    """The parts that hold content. A message inside a message is one part: a reader's file."""
    below = part.get_payload()
    if part.get_content_maintype() == "multipart" and isinstance(below, list):
        for one in below:
            if isinstance(one, Message):
                yield from _leaves(one)
    else:
        yield part


def _file_name(part: _Part) -> str:
    return readable(part.get_filename("") or "").replace("\r", "").replace("\n", "")


def _text_of(part: _Part) -> str:
    charset = part.get_content_charset()
    return _decoded(_octets_of(part), charset).replace("\r\n", "\n")


def _octets_of(part: _Part) -> bytes:
    decoded = part.get_payload(decode=True)
    if isinstance(decoded, bytes):
        return decoded
    below = part.get_payload()  # message/rfc822 holds the message as a list of one
    return b"".join(one.as_bytes() for one in below if isinstance(one, Message))


def _attachment(part: _Part, kind: str, name: str, number: int) -> Attachment:
    content_id = str(part.get("Content-ID", "")).strip().strip("<>")
    return Attachment(
        name=name or _name_for(kind, number),
        content_type=kind,
        content=_octets_of(part),
        content_id=content_id,
        inline=part.get_content_disposition() == "inline" or bool(content_id),
    )


_ENDINGS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
    "text/calendar": ".ics",
    "text/plain": ".txt",
    "text/html": ".html",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/pdf": ".pdf",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
}


def _name_for(kind: str, number: int) -> str:
    return f"attachment-{number + 1}{_ENDINGS.get(kind, '.bin')}"
