"""The message while it arrives, as it is stored, and as it is read again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from graphrelay.model.address import Address
from graphrelay.model.envelope import Envelope, Origin
from graphrelay.model.plan import Lane, Plan


class Body(Protocol):
    """The octets of a stored message, with random access and as often as needed."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """The octets from `start` up to `end`; fewer if the body ends earlier.

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
    """A known number of octets that can be read from the start as often as needed."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """From the start, in pieces of any size; blocking reads are done in another thread."""
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
    """The octets of a message while they arrive, before it is accepted."""

    @property
    def size(self) -> int: ...

    async def write(self, octets: bytes) -> None:
        """Append. Raises `StorageUnavailable`."""
        ...

    async def head(self, limit: int) -> bytes:
        """The first `limit` octets written so far, to read the header section from."""
        ...

    async def discard(self) -> None:
        """Discard all of it. May be called twice, and after it was accepted."""
        ...


class StorageUnavailable(Exception):  # noqa: N818 (a condition, not a programming error)
    """The spool cannot store anything now (disk full, read-only, I/O error); the text says why."""


class StorageAway(StorageUnavailable):
    """The server that keeps the mail cannot be reached, or takes nothing now. It has room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """An accepted transaction, ready for the spool: one message, one or more parts.

    Each part is a plan and the recipients that it covers; together they cover the envelope, each
    recipient once. Every part is submitted, retried and recorded separately.
    """

    envelope: Envelope
    origin: Origin
    received_at: datetime
    message_id: str
    """The Message-ID header, with its angle brackets."""
    subject: str
    """For the mail log; decoded, shortened."""
    prefix: bytes = field(repr=False)
    """Header lines added at acceptance (Date, Message-ID); they come before the body's octets."""
    parts: tuple[tuple[Plan, tuple[Address, ...]], ...]
    not_before: datetime | None = None
    """When it is due; immediately by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProgress:
    """The progress of a message that is completed in Drafts before it is sent."""

    id: str
    """Immutable while it is a draft; Exchange may give the message another one when it is sent."""
    created_at: datetime | None = None
    """When Exchange created it, by Exchange's clock."""
    attachments: int = 0
    """How many it will have."""
    attached: int = 0
    """How many have been confirmed; they are added one after the other."""
    from_mime: bool = False
    """Whether it was created as MIME and the files are added: it is read back before it is sent."""
    own: int | None = 0
    """How many Exchange found in the message it was created from; `None` if not counted yet."""
    upload_url: str = field(default="", repr=False)
    """The upload session of the next one, if it has begun. Carries its own authorization."""
    upload_expires: datetime | None = None
    """When that session expires, if Graph said so."""
    upload_unreachable: int = 0
    """How often in a row its host could not be reached."""
    uploaded: int = 0
    """Octets of the next one that have been uploaded."""
    sending: bool = False
    """Whether Exchange may have been asked to send it."""
    lost: tuple[str, ...] = ()
    """What this form cannot represent of the message, in words."""

    def without_upload(self) -> "DraftProgress":
        """The same without an upload session."""
        return replace(self, upload_url="", upload_expires=None, upload_unreachable=0, uploaded=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One part of an accepted message, as stored in the spool: it is sent with one request to
    Graph.

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
    """How many attempts have been started before."""
    draft: DraftProgress | None = None
    """The draft that an earlier attempt has begun, if any."""
    term: int = field(default=0, compare=False, repr=False)
    """The term of the lease of its lane when it was loaded, if several relays share the spool."""

    @property
    def size(self) -> int:
        return len(self.prefix) + self.body.size


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """What is in memory of a queued submission."""

    submission_id: int
    lane: Lane
    received_at: datetime
    not_before: datetime
    sender: str = ""
    """The `key` of the author, or of the reverse path if there is none: the senders of a client
    take turns in a lane. The messages of a mailing have the same From, but each may have its own
    reverse path (VERP)."""
    size: int = 0
    """Of the whole message in octets: large ones leave a connection for small ones."""
    login: str = ""
    """Logins take turns, and the clients of each: a client can choose its senders freely."""
    client: str = ""
    suspect: bool = False
    """Whether a process died while reading it for sending."""

    @classmethod
    def of(cls, submission: Submission, not_before: datetime | None = None) -> "QueueEntry":
        """The entry of a new submission, due immediately or at `not_before`."""
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
