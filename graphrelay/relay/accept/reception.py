"""Accepting mail from the SMTP server: every decision before the 250, and the 250.

    head of the body ──▶ header section ──▶ Date, Message-ID ──▶ route ──▶ spool ──▶ queue ──▶ 250

What is added or decided here is stored with the message, so that every retry sends the same octets
from the same sender. The client gets no 250 before the spool has answered.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from itertools import islice
from typing import Protocol

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.mime import encoded_word, header, reading
from graphrelay.mime.header import HeaderSection
from graphrelay.model import (
    Accepted,
    Address,
    Envelope,
    IncomingBody,
    NewMessage,
    Origin,
    QueueEntry,
    Reply,
    one_line,
)
from graphrelay.relay.accept import router, trace
from graphrelay.relay.accept.router import Parts, RoutingInput, RoutingTable
from graphrelay.relay.outgoing import as_mime, body_parts, charset, originator
from graphrelay.relay.policy.sender import shown
from graphrelay.spool.contract import Spool

FIRST_READ = 16 * 1024
LONGEST_SUBJECT = 200
LONGEST_JUDGED = 1_000
"""How many octets of a field the condition of a route looks at; …"""
MOST_JUDGED = 100
"""… and how many fields of the same name."""
ROOM = 4 * 1024
"""More octets than the relay ever adds to a message, apart from addresses."""

HEADER_TOO_LARGE = Reply(
    552, "5.3.4", f"The header section is longer than {header.LIMIT // 1024} KiB"
)


class Queue(Protocol):
    """What sends accepted mail."""

    def add(self, waiting: list[QueueEntry]) -> None: ...


@dataclass(frozen=True, slots=True)
class ParsedHeader:
    """What acceptance reads from a header section."""

    transaction: RoutingInput
    message_id: str
    subject: str
    prefix: bytes
    """Missing fields to add, as whole lines."""


class MailReception:
    """Has no state: it asks the router, and passes the message to the spool and the queue."""

    def __init__(
        self,
        *,
        spool: Spool,
        queue: Queue,
        table: RoutingTable,
        journal: Journal,
        clock: Clock,
        hostname: str,
        max_message_size: int,
        random_word: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._spool = spool
        self._queue = queue
        self._table = table
        self._journal = journal
        self._clock = clock
        self._hostname = hostname
        self._max_message_size = max_message_size
        self._random_word = random_word

    @property
    def routes(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(route.name for route in self._table.routes)

    def use(self, table: RoutingTable, max_message_size: int) -> None:
        """Use other settings, beginning with the next transaction."""
        self._table = table
        self._max_message_size = max_message_size

    def size_limit(self, origin: Origin) -> int:
        """The largest message that any route could take from this origin."""
        return router.largest_from(self._table, origin, self._max_message_size)

    def sender(self, reverse_path: Address | None, origin: Origin) -> Reply | None:
        """The refusal of an envelope sender that the login may not use."""
        return router.refused_reverse_path(reverse_path, origin, self._table)

    def recipient(
        self, forward_path: Address, reverse_path: Address | None, origin: Origin
    ) -> Reply | None:
        """The refusal of a recipient that no route accepts, whatever From will say."""
        if _unwritable(forward_path):
            return Reply(553, "5.1.3", f"{shown(forward_path)} cannot be mailed to")
        if router.may_take(self._table, origin, forward_path):
            return None
        return router.no_route(f"for {shown(forward_path)} from this client", self._table)

    def incoming(self) -> IncomingBody:
        return self._spool.incoming()

    async def accept(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> Accepted | Reply:
        """Route and store. `StorageUnavailable` is for the caller, which answers 452."""
        new = await self._judged(envelope, origin, body)
        if isinstance(new, Reply):
            await body.discard()
            return new
        return await self._owned(new, body)

    async def _judged(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> NewMessage | Reply:
        """The message with the decisions about it, or the refusal."""
        table, received_at = self._table, self._clock.now()
        for limit in (FIRST_READ, header.LIMIT):
            beginning = await body.head(limit)
            size = reading.header_size(beginning, len(envelope.forward_paths))
            decided = await reading.of(
                size, self._decide, beginning, body.size, envelope, origin, received_at, table
            )
            if decided is not None:
                break
        match decided:
            case None:
                return HEADER_TOO_LARGE
            case Reply():
                return decided
        if refusal := await self._refused_as_spliced(decided, body.size, table):
            return refusal
        parsed = decided.parsed
        author = next((one.key for one in parsed.transaction.authors), "")
        return NewMessage(
            envelope=envelope,
            origin=origin.by(author),
            received_at=received_at,
            message_id=parsed.message_id,
            subject=parsed.subject,
            prefix=parsed.prefix,
            parts=decided.parts,
        )

    def _decide(
        self,
        beginning: bytes,
        size: int,
        envelope: Envelope,
        origin: Origin,
        received_at: datetime,
        table: RoutingTable,
    ) -> "_Decided | Reply | None":
        """The decisions from the first octets of a message of that size; `None` if more octets are
        needed. Takes time in proportion to them."""
        complete = len(beginning) == size
        section = header.read(beginning, complete=complete)
        if section is None:
            return None
        if _goes_by_its_text(section) and not complete and len(beginning) < header.LIMIT:
            return None
        if looped := trace.loop(section, self._hostname):
            return looped
        text = beginning[section.body_start :]
        parsed = self._read(section, text, envelope, origin, received_at, table)
        parts = router.route(parsed.transaction, table)
        if isinstance(parts, Reply):
            return parts
        sealed = body_parts.sealed_type(section)
        whole = len(parsed.prefix) + size
        refusal = _refused_size(parts, whole, sealed, table)
        return refusal or _Decided(section, parsed, parts, sealed is not None)

    async def _owned(self, new: NewMessage, body: IncomingBody) -> Accepted:
        size = len(new.prefix) + body.size
        submissions = await self._spool.accept(new, body)
        queue_id = submissions[0].queue_id
        self._journal.write(
            events.Accepted(
                queue_id,
                new.envelope.reverse_path,
                new.envelope.forward_paths,
                new.origin,
                size=size,
                message_id=new.message_id,
            )
        )
        self._queue.add([QueueEntry.of(submission) for submission in submissions])
        return Accepted(queue_id)

    async def _refused_as_spliced(
        self, decided: "_Decided", size: int, table: RoutingTable
    ) -> Reply | None:
        """The refusal of a message that must not be taken apart and would fit into a request, but
        not with what is added to it: hundreds of recipients in Bcc, fields that are kept."""
        request, section, parsed = table.request, decided.section, decided.parsed
        if request is None:
            return None
        envelope = parsed.transaction.envelope
        for plan, recipients in decided.parts:
            most = table.largest.get(plan.lane.account)
            sealed = decided.sealed and table.largest_mime is not None
            if not sealed and (most is None or most >= request):
                continue  # it may be taken apart
            named = sum(len(str(one)) for one in (*recipients, *envelope.forward_paths))
            if size + 4 * len(section.octets) + 4 * named + ROOM <= request:
                continue
            part = replace(envelope, forward_paths=recipients)
            work = len(section.octets) + reading.OF_A_RECIPIENT * len(recipients)
            outgoing = await reading.of(
                work, as_mime.size_of, section, parsed.prefix, plan, part, size
            )
            if outgoing > request:
                text = f"With its recipients the message has {outgoing} octets, and a request to"
                return Reply(552, "5.3.4", f"{text} Graph carries {request}")
        return None

    def _read(
        self,
        section: HeaderSection,
        text: bytes,
        envelope: Envelope,
        origin: Origin,
        received_at: datetime,
        table: RoutingTable,
    ) -> ParsedHeader:
        transaction = transaction_of(section, envelope, origin, table)
        prefix = trace.received(section, self._hostname, received_at)
        if not section.value_of("date"):
            prefix += f"Date: {format_datetime(received_at)}\r\n".encode("ascii")
        message_id = _message_id(section.value_of("message-id"))
        if not message_id:
            message_id = f"<{self._random_word()}@{self._domain(transaction.sender)}>"
            prefix += f"Message-ID: {message_id}\r\n".encode("ascii")
        prefix += charset.missing_fields(section, text)
        return ParsedHeader(transaction, message_id, _subject(section), prefix)

    def _domain(self, author: Address | None) -> str:
        domain = author.domain if author else ""
        plain = domain.isascii() and "." in domain and domain.replace("-", "").replace(".", "")
        return domain if plain and plain.isalnum() else self._hostname


@dataclass(frozen=True, slots=True)
class _Decided:
    """The result of reading a header section."""

    section: HeaderSection
    parsed: ParsedHeader
    parts: Parts
    sealed: bool
    """Whether the message must not be taken apart."""


def _goes_by_its_text(section: HeaderSection) -> bool:
    """Whether the charset has to be found from the text, since no field declares it."""
    return section.first("content-type") is None


def _refused_size(parts: Parts, size: int, sealed: str | None, table: RoutingTable) -> Reply | None:
    """`sealed`: how the whole message is sealed, in words."""
    if refusal := router.refused_size(parts, size, table):
        return refusal
    if sealed is None:
        return None
    for planned, _ in parts:
        if not planned.save_to_sent_items:
            text = f"The message is {sealed}, and route {planned.route!r} keeps no copy in Sent"
            return Reply(554, "5.6.3", f"{text} Items, for which it must be taken apart")
    if table.largest_mime is None or size <= table.largest_mime:
        return None
    text = f"The message is {sealed} and has {size} octets: such messages go up to"
    return Reply(
        554, "5.6.3", f"{text} {table.largest_mime}, since larger ones must be taken apart"
    )


def transaction_of(
    section: HeaderSection, envelope: Envelope, origin: Origin, table: RoutingTable
) -> RoutingInput:
    """Everything in a message that routing depends on."""
    return RoutingInput(
        envelope=envelope,
        origin=origin,
        authors=originator.authors(section, "from"),
        senders=originator.authors(section, "sender"),
        header=_header(section, table.header_names),
    )


def _header(section: HeaderSection, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The decoded values of fields, by name."""
    return {
        name: tuple(
            encoded_word.decode(section.unfolded(found)[:LONGEST_JUDGED])
            for found in islice(section.find(name), MOST_JUDGED)
        )
        for name in names
    }


def _message_id(value: bytes) -> str:
    text = encoded_word.text(value[:4096])
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text[:998]


def _subject(section: HeaderSection) -> str:
    """Decoded, on one line, shortened."""
    value = section.value_of("subject")[:4096]
    return one_line(encoded_word.decode(value, charset.charset(section, value)), LONGEST_SUBJECT)


def _unwritable(address: Address) -> bool:
    """An address that would not survive in a header field, or has nowhere to go."""
    text = str(address)
    return (
        not address.local
        or not address.domain
        or not text.isprintable()
        or bool(set(address.domain) & set(' \t<>()",;\\@'))
    )
