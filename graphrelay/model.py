"""The nouns that every room shares: addresses, the envelope, where mail came from, where it goes,
and what came of each attempt.

All of them are values: frozen, compared by content, free of I/O. The rooms (smtp, spool, oauth,
graph) are strangers to each other and meet only in these words. What a room needs from another
one it is handed as one of the protocols at the end of this page.

    smtp ── Envelope, Origin, IncomingBody ──▶ relay ── Plan ──▶ spool ── Submission ──▶ relay
    relay ── OctetSource ──▶ graph ── Outcome ──▶ relay ── Attempt ──▶ spool
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

# --- Addresses and the envelope (RFC 5321) -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as RFC 5321 section 4.1.2 writes it: `local@domain`, octets as they were given.

    `local` keeps its quotes if it had any. `domain` may be empty, for the bare names (`root`) that
    cron and devices use as reverse path. Two addresses are the same person when their `key` is
    the same: Exchange compares local parts without regard to case.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def key(self) -> str:
        """What to compare by: in small letters, the local part without needless quotes, the domain
        in letters."""
        local = self.local
        if len(local) >= 2 and local[0] == local[-1] == '"':
            local = local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
        return in_small_letters(f"{local}@{_in_letters(self.domain)}")

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Split at the last `@`. Whether it may stand on the wire is for the smtp room to say."""
        local, at, domain = text.rpartition("@")
        return cls(local, domain) if at else cls(text, "")


def in_small_letters(text: str) -> str:
    """To compare addresses by, without regard to case and to nothing else: case folding would make
    `ss` of `ß` and `k` of the Kelvin sign, which are other people and other domains."""
    return text.lower() if text.isascii() else "".join(map(_small, text))


def _small(letter: str) -> str:
    small = letter.lower()
    became_another = len(small) > 1 or (small.isascii() and not letter.isascii())
    return letter if became_another else small


def _in_letters(domain: str) -> str:
    """With `xn--` labels (RFC 5890) as the letters that they stand for: programs write a domain
    one way in the envelope and the other way in the header."""
    if "xn--" not in domain.lower():
        return domain
    labels = domain.split(".")
    for number, label in enumerate(labels):
        if label[:4].lower() == "xn--":
            try:
                letters = label[4:].encode("ascii").decode("punycode")
            except UnicodeError:
                continue  # stands for nothing, so for itself
            labels[number] = label if letters.isascii() else letters
    return ".".join(labels)


Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sender wants to hear of one recipient (RFC 3461 sections 4.1 and 4.2)."""

    path: Address
    notify: tuple[Notify, ...] = ()
    """Empty: as the relay does by itself."""
    original: str = ""
    """ORCPT: whom the message was sent to first, with the type: `rfc822;anna@example.org`."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends and who receives (RFC 5321 section 2.3.1). It alone decides who receives."""

    reverse_path: Address | None
    """`None` is the null sender `<>`: a report, to which nothing may ever be reported back."""
    forward_paths: tuple[Address, ...]
    envelope_id: str = ""
    """ENVID: what the sender calls the message (RFC 3461 section 4.4)."""
    returned: Literal["", "FULL", "HDRS"] = ""
    """RET: how much of the message a report shall bring back (RFC 3461 section 4.3)."""
    asked: tuple[Asked, ...] = ()
    """Of recipients for whom the sender asked for something."""

    def to(self, forward_paths: tuple[Address, ...]) -> "Envelope":
        """The same for these recipients."""
        if forward_paths == self.forward_paths:
            return self
        asked = tuple(one for one in self.asked if one.path in forward_paths) if self.asked else ()
        return replace(self, forward_paths=forward_paths, asked=asked)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a submission came from, as the SMTP session saw it."""

    listener: str
    """The listener as configured, such as `127.0.0.1:2525`."""
    client: str
    """The client's IP address, `unix` for a Unix socket, or `unix:USER` for mail that USER left in
    the drop folder."""
    helo: str = ""
    login: str | None = None
    tls: str | None = None
    """The TLS version (`TLSv1.3`), or `None` in clear text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply with its enhanced status code (RFC 3463)."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is on disk: from here on it is ours (promise 1)."""

    queue_id: str


# --- The message ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InlineBody:
    """A small message: its octets stand in the database row."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class FiledBody:
    """A large message: a file of its own beside the database."""

    path: Path
    size: int


Body = InlineBody | FiledBody


class OctetSource(Protocol):
    """Octets of known number that can be read again from the start as often as needed."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """From the start, in pieces of any size; reads in another thread where it must block."""
        ...


# --- Where it goes -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One account and mailbox: Exchange's limits hold per lane, so everything waits per lane."""

    account: str
    mailbox: str
    """The mailbox's address, even where Graph is asked for `/me`."""

    def __str__(self) -> str:
        return f"{self.account}/{self.mailbox}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the router decided for a submission when it was accepted.

    It is kept with the mail, so that a later change of the configuration never changes who
    submits mail that was accepted before it, or in whose name.
    """

    route: str
    """The route's name, for people: `routes[0]`, or `default` where the only account was taken."""
    lane: Lane
    from_address: str | None = None
    """What the From header is to say; `None` leaves it as the sender wrote it."""
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True
    reply_to: str | None = None
    """What the Reply-To header is to say; `None` leaves it to the sender."""
    subject_prefix: str = ""
    redirect_to: str | None = None
    """For staging: who gets the message in place of its recipients, whom it names in its text."""
    unseen: tuple[Address, ...] = ()
    """Recipients whom the route added; of them the sender is told nothing."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProgress:
    """How far a message got that is put together in Drafts before it is sent."""

    id: str
    """Immutable: the same when it has been sent."""
    attachments: int = 0
    """How many it is to have."""
    attached: int = 0
    """How many it is known to have; they are added one after the other."""
    upload_url: str = field(default="", repr=False)
    """The upload session of the next one, if it has begun. Carries its own authorization."""
    uploaded: int = 0
    """Octets of the next one that are there."""
    sending: bool = False
    """Whether Exchange may have been asked to send it."""
    lost: tuple[str, ...] = ()
    """What of the message this form cannot keep, in words."""


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

    @property
    def size(self) -> int:
        return len(self.prefix) + self.body.size


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that is held in memory of a submission that waits."""

    submission_id: int
    lane: Lane
    received_at: datetime
    not_before: datetime
    sender: str = ""
    """The `key` of the reverse path: senders in a lane take turns."""
    size: int = 0
    """Of the whole message in octets: large ones leave room for small ones."""

    @classmethod
    def of(cls, submission: Submission) -> "Waiting":
        """What has just been taken, and may go at once."""
        path = submission.envelope.reverse_path
        return cls(
            submission.id,
            submission.plan.lane,
            submission.received_at,
            submission.received_at,
            path.key if path else "",
            submission.size,
        )


# --- What came of an attempt ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said, for the mail log; never a basis for decisions but for `code`."""

    http_status: int | None = None
    """`None` where no HTTP answer came."""
    code: str = ""
    """Graph's `error.code` or OAuth's `error`."""
    message: str = ""
    request_id: str = ""
    """Graph's `request-id`: what Microsoft's support asks for."""
    client_request_id: str = ""


class Trouble(StrEnum):
    """Why a lane as a whole is paused."""

    AUTHORIZATION = "authorization"
    QUOTA = "quota"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """Graph answered 2xx: final. Exchange took the message; an NDR may still follow."""

    answer: Answer
    lost: tuple[str, ...] = ()
    """What of the message did not go along, in words; nothing, where it went as MIME."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """Nothing was sent; the same submission may succeed later."""

    status: str
    """Enhanced status code, class 4 (RFC 3463)."""
    reason: str
    retry_after: timedelta | None = None
    """How long the other side asked to be left alone, if it did."""
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing was sent, and the same submission will never succeed."""

    status: str
    """Enhanced status code, class 5 (RFC 3463)."""
    reason: str
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The request went out whole and no clear answer came back: it may have been sent."""

    reason: str
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)
    draft: str = ""
    """The immutable id of the draft that was to be sent, where one was made: it settles the doubt
    for certain."""
    lost: tuple[str, ...] = ()
    """What of the message did not go along if it was sent, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Nothing was sent, and nothing else in this lane would be: the lane waits, not the message.

    `retry_after` is when to try again without anybody's help; `None` where only a person helps
    (the relay still looks now and then).
    """

    trouble: Trouble
    status: str
    reason: str
    remedy: str = ""
    """What to run or to change, such as `graphrelay authorize website`."""
    retry_after: timedelta | None = None
    answer: Answer = field(default_factory=Answer)


Outcome = Relayed | Delayed | Failed | Uncertain | Paused


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished try at Graph."""

    number: int
    """From 1."""
    started_at: datetime
    finished_at: datetime
    outcome: Outcome


# --- What a submission becomes after an attempt (decided by relay, kept by spool) -----------------


@dataclass(frozen=True, slots=True)
class Queued:
    """Waits for its next attempt."""

    not_before: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Waits for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """Relayed, failed or deleted: nothing follows, the octets may go, the mail log stays."""

    how: Literal["relayed", "failed", "deleted"]
    reason: str = ""


Next = Queued | Held | Done


# --- What one room needs of another --------------------------------------------------------------


class StorageUnavailable(Exception):  # noqa: N818 (a condition, not a programming error)
    """The spool cannot take more now (disk full, read-only, I/O error); the text says which."""


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


class Reception(Protocol):
    """What the SMTP face asks of those who own the mail. Every answer is a reply, never an
    exception."""

    def size_limit(self, origin: Origin) -> int:
        """The largest message in octets that can be taken from there (RFC 1870)."""
        ...

    def sender(self, reverse_path: Address | None, origin: Origin) -> Reply | None:
        """`None`: fine so far. Else the refusal for MAIL FROM."""
        ...

    def recipient(
        self, forward_path: Address, reverse_path: Address | None, origin: Origin
    ) -> Reply | None:
        """`None`: fine. Else the refusal for RCPT TO."""
        ...

    def incoming(self) -> IncomingBody:
        """Where to put the octets of the message that is about to come."""
        ...

    async def accept(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> Accepted | Reply:
        """Own the message, durably, or say why not. Must run to its end once begun."""
        ...
