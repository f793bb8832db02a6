"""What a mailbox holds: mail that was submitted, drafts, and the items that file them in folders.

A `Mail` is a fact and never changes. A `Draft` is what Graph's /messages endpoints work on, and
ends when it is sent. An `Item` files one of the two; its default id changes when it moves to
another folder, as in Exchange, its immutable id does not.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Literal

from graphrelay.sandbox.mime import (
    Attachment,
    Content,
    Head,
    Person,
    header_section,
    read_content,
)
from graphrelay.sandbox.mime_compose import Composition

Via = Literal["mime", "json", "draft", "report"]
"""How it came: sendMail with MIME or JSON, a draft that was sent, or Exchange's own report."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message with all of its octets."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()

    @property
    def head(self) -> bytes:
        return header_section(self.octets)


@dataclass(frozen=True, slots=True)
class Digest:
    """What is kept of a message without its body (`MailSettings.keep_bodies`)."""

    head: bytes = field(repr=False)
    size: int
    sha256: str


Octets = Kept | Digest


def kept(octets: bytes, keep_bodies: bool) -> Octets:
    """Keep all of it, or only what identifies it."""
    if keep_bodies:
        return Kept(octets)
    return Digest(header_section(octets), len(octets), hashlib.sha256(octets).hexdigest())


class BodyNotKept(LookupError):  # noqa: N818 (says what is missing)
    """The sandbox is configured not to keep bodies."""


@dataclass(frozen=True, slots=True)
class Bounced:
    """A recipient for whom a report went back to the sender."""

    address: str
    status: str
    """Enhanced status code (RFC 3463)."""
    diagnostic: str


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One submission that Graph answered with 202, or a report that Exchange wrote."""

    number: int
    """Counts from 1 in the order of arrival."""
    mailbox: str
    """Primary address of the mailbox that submitted it, where the copy in Sent Items is."""
    client_id: str
    """The application."""
    via: Via
    head: Head = field(repr=False)
    """As submitted, with its Bcc."""
    message_id: str
    """As submitted, or as Exchange made it where there was none."""
    submitted: Octets
    outgoing: Octets
    """What every recipient received: without Bcc, and with what else Exchange changes."""
    received: tuple[str, ...]
    """The addresses that it was delivered to, each once, as they were written."""
    bounced: tuple[Bounced, ...] = ()
    """Those for whom a report went back to the sender instead."""
    client_request_id: str
    request_id: str
    received_at: datetime
    saved_to_sent: bool

    @property
    def raw(self) -> bytes:
        """The submitted octets. Raises `BodyNotKept`."""
        return _all_of(self.submitted)

    @property
    def delivered(self) -> bytes:
        """The octets that were sent. Raises `BodyNotKept`."""
        return _all_of(self.outgoing)

    @cached_property
    def content(self) -> Content:
        """Text, HTML and attachments as recipients see them; parsed on first use."""
        return read_content(self.delivered)

    @property
    def subject(self) -> str:
        return self.head.subject

    @property
    def sender(self) -> Person | None:
        """The first mailbox of the From header."""
        return self.head.sender[0] if self.head.sender else None

    @property
    def to(self) -> tuple[str, ...]:
        return tuple(person.address for person in self.head.to)

    @property
    def cc(self) -> tuple[str, ...]:
        return tuple(person.address for person in self.head.cc)

    @property
    def bcc(self) -> tuple[str, ...]:
        return tuple(person.address for person in self.head.bcc)

    @property
    def size(self) -> int:
        return self.submitted.size


def _all_of(octets: Octets) -> bytes:
    if isinstance(octets, Digest):
        raise BodyNotKept("bodies are not kept: MailSettings.keep_bodies is off")
    return octets.octets


@dataclass(frozen=True, slots=True)
class MimeDraft:
    """A draft as MIME, octet for octet: it can be sent and read, not edited."""

    octets: bytes = field(repr=False)
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    """What was added to it (`MailSettings.mime_draft_files`)."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A message in Drafts; the content is replaced when it is edited."""

    content: MimeDraft | Composition
    message_id: str


class Folder(Enum):
    """The well-known folders, by the names that Graph takes in a URL."""

    INBOX = "inbox"
    DRAFTS = "drafts"
    SENT = "sentitems"
    DELETED = "deleteditems"

    @property
    def display_name(self) -> str:
        return _DISPLAY_NAMES[self]


_DISPLAY_NAMES = {
    Folder.INBOX: "Inbox",
    Folder.DRAFTS: "Drafts",
    Folder.SENT: "Sent Items",
    Folder.DELETED: "Deleted Items",
}
_FOLDERS = tuple(Folder)


@dataclass(slots=True, kw_only=True)
class Item:
    """A place in a folder of one mailbox, and what is filed there."""

    serial: int
    folder: Folder
    content: Draft | Mail
    created_at: datetime
    modified_at: datetime
    primary: Mapping[str, str] = field(default_factory=dict)
    """Alias, in lower case -> the primary address that is shown in its place."""
    seems_draft_for: int = 0
    """Look-ups that still see a sent message as a draft, as Exchange sends in its own time."""

    def id(self, immutable: bool) -> str:
        """The id in a URL: one that survives sending and moving, or one that does not."""
        place = 0xFF if immutable else _FOLDERS.index(self.folder)
        number = base64.urlsafe_b64encode(bytes([place]) + self.serial.to_bytes(8, "big"))
        return (_IMMUTABLE if immutable else _DEFAULT) + number.decode()


_IMMUTABLE = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
_DEFAULT = "AAMkAGI2ZmQwNGYyLTk0YjctNGZkNy1hMTU2LTc5ZGJmN2Y2YTRkMwBGAAAA"


@dataclass(frozen=True, slots=True)
class ItemId:
    """What an id in a URL says: which item, and in which folder (`None`: an immutable id)."""

    serial: int
    folder: Folder | None


def read_id(text: str) -> ItemId | None:
    """`None` if it is not an id."""
    for prefix in (_IMMUTABLE, _DEFAULT):
        if text.startswith(prefix):
            try:
                number = base64.b64decode(text[len(prefix) :], b"-_", validate=True)
            except binascii.Error:
                return None
            return _item_id(number, prefix == _IMMUTABLE)
    return None


def _item_id(number: bytes, immutable: bool) -> ItemId | None:
    if len(number) != 9:
        return None
    serial = int.from_bytes(number[1:], "big")
    if immutable:
        return ItemId(serial, None) if number[0] == 0xFF else None
    return ItemId(serial, _FOLDERS[number[0]]) if number[0] < len(_FOLDERS) else None
