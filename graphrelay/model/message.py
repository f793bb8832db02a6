"""The message as it comes in, as it is kept, and as it is read again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from graphrelay.model.address import Address
from graphrelay.model.envelope import Envelope, Origin
from graphrelay.model.plan import Lane, Plan


class Body(Protocol):
    """The octets of a message that is kept, readable at any place and as often as needed."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """The octets from `start` up to `end`, fewer where the body ends before.

        Blocks, except for an `InlineBody`. Raises `StorageUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class InlineBody:
    """A small body, which is in memory."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)

    def read(self, start: int, end: int) -> bytes:
        return self.octets[start:end]


class OctetSource(Protocol):
    """Octets of known number that can be read again from the start as often as needed."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """From the start, in pieces of any size; reads in another thread where it must block."""
        ...


@dataclass(frozen=True, slots=True)
class OctetsInMemory:
    """A few octets as a source."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.octets


class IncomingBody(Protocol):
    """The octets of a message while they come in, before anybody has promised anything."""

    @property
    def size(self) -> int: ...

    async def write(self, octets: bytes) -> None:
        """Append. Raises `StorageUnavailable`."""
        ...

    async def head(self, limit: int) -> bytes:
        """The first `limit` octets written so far, to read the header section from."""
        ...

    async def discard(self) -> None:
        """Forget all of it. Safe to call twice, and after it was accepted."""
        ...


class StorageUnavailable(Exception):  # noqa: N818 (a condition, not a programming error)
    """The spool cannot take more now (disk full, read-only, I/O error); the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """An accepted transaction, ready for the spool: one message, one or more parts.

    Each part is a plan and the recipients that it covers; together they cover the envelope, each
    recipient once. Every part is submitted, retried and recorded by itself.
    """

    envelope: Envelope
    origin: Origin
    received_at: datetime
    message_id: str
    """The Message-ID header, with its angle brackets."""
    subject: str
    """For the mail log; decoded, shortened."""
    prefix: bytes = field(repr=False)
    """Header lines added at acceptance (Date, Message-ID); they stand before the body's octets."""
    parts: tuple[tuple[Plan, tuple[Address, ...]], ...]
    not_before: datetime | None = None
    """When it may go; at once, if nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProgress:
    """How far a message got that is put together in Drafts before it is sent."""

    id: str
    """Immutable while it is a draft; Exchange may give the message another one when it is sent."""
    created_at: datetime | None = None
    """When Exchange created it, by Exchange's clock."""
    attachments: int = 0
    """How many it is to have."""
    attached: int = 0
    """How many it is known to have; they are added one after the other."""
    from_mime: bool = False
    """Whether it was created as MIME and the files are added: it is read back before it is sent."""
    own: int | None = 0
    """How many Exchange found in what the draft was created from; `None`: not counted yet."""
    upload_url: str = field(default="", repr=False)
    """The upload session of the next one, if it has begun. Carries its own authorization."""
    upload_expires: datetime | None = None
    """When that session is over, if Graph said so."""
    upload_unreachable: int = 0
    """How often in a row no connection to its host came about."""
    uploaded: int = 0
    """Octets of the next one that are there."""
    sending: bool = False
    """Whether Exchange may have been asked to send it."""
    lost: tuple[str, ...] = ()
    """What of the message this form cannot keep, in words."""

    def without_upload(self) -> "DraftProgress":
        """Without what is known of an upload session."""
        return replace(self, upload_url="", upload_expires=None, upload_unreachable=0, uploaded=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One part of an accepted message, as the spool keeps it: what one request to Graph carries.

    The message is `prefix` followed by `body`; `envelope` holds this part's recipients only.
    """

    id: int
    queue_id: str
    """As the client saw it in the 250; later parts carry `/2`, `/3` …"""
    envelope: Envelope
    origin: Origin
    plan: Plan
    received_at: datetime
    message_id: str
    prefix: bytes = field(repr=False)
    body: Body = field(repr=False)
    attempts: int
    """How many attempts at Graph have been started before."""
    draft: DraftProgress | None = None
    """Where an earlier one has begun to put the message together in Drafts."""
    term: int = field(default=0, compare=False, repr=False)
    """Of the lease of its lane under which it was loaded, where several relays share the spool."""

    @property
    def size(self) -> int:
        return len(self.prefix) + self.body.size


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """All that is held in memory of a submission that waits."""

    submission_id: int
    lane: Lane
    received_at: datetime
    not_before: datetime
    sender: str = ""
    """The `key` of the author, or of the reverse path where there is none: senders of a client in a
    lane take turns. A mailing keeps its From, while each message of it may have a reverse path of
    its own (VERP)."""
    size: int = 0
    """Of the whole message in octets: large ones leave room for small ones."""
    login: str = ""
    """Logins take turns, and the clients of each: a client may choose its senders."""
    client: str = ""
    suspect: bool = False
    """Whether a process ended while it read it to send it."""

    @classmethod
    def of(cls, submission: Submission, not_before: datetime | None = None) -> "QueueEntry":
        """What has just been taken, and may go at once, or then."""
        path = submission.envelope.reverse_path
        return cls(
            submission.id,
            submission.plan.lane,
            submission.received_at,
            not_before or submission.received_at,
            submission.origin.author or (path.key if path else ""),
            submission.size,
            submission.origin.login or "",
            submission.origin.client,
        )
