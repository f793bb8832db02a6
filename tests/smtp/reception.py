"""A reception in memory, and a client that speaks octet by octet, for the tests of this room."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from graphrelay.clock import Clock, SystemClock
from graphrelay.journal import Entry, Journal
from graphrelay.model import Accepted, Address, Envelope, IncomingBody, Origin, Reply
from graphrelay.smtp.access.listener import Limits, Listener, Network
from graphrelay.smtp.access.login import Login
from graphrelay.smtp.server import Server
from graphrelay.smtp.session.conversation import Conversation

PATIENCE = 20.0
"""Seconds until a test that hangs is given up."""
ENVELOPE = ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
QUEUED = "250 2.0.0 Ok: queued as Q1"


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until a condition holds for which there is no event."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


class MemoryBody:
    """Keeps the octets; records whether they were discarded."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.discarded = 0
        self.largest = 0
        self.trouble: Exception | None = None
        self._grown = asyncio.Event()
        self.may_write = asyncio.Event()
        self.may_write.set()

    @property
    def size(self) -> int:
        return len(self.octets)

    async def write(self, octets: bytes) -> None:
        await self.may_write.wait()
        if self.trouble is not None:
            raise self.trouble
        self.largest = max(self.largest, len(octets))
        self.octets += octets
        self._grown.set()

    async def has_grown(self) -> None:
        """Wait until octets have been written since the last call."""
        await asyncio.wait_for(self._grown.wait(), PATIENCE)
        self._grown.clear()

    async def head(self, limit: int) -> bytes:
        return bytes(self.octets[:limit])

    async def discard(self) -> None:
        self.discarded += 1
        self.octets = bytearray()


@dataclass(frozen=True)
class Received:
    """One accepted message."""

    envelope: Envelope
    origin: Origin
    octets: bytes


@dataclass
class MemoryReception:
    """Accepts everything unless the test sets a refusal."""

    limit: int = 10_000_000
    refused_senders: dict[str, Reply] = field(default_factory=dict)
    refused_recipients: dict[str, Reply] = field(default_factory=dict)
    answer: Reply | Exception | None = None
    """What `accept` says or raises instead."""
    trouble: Exception | None = None
    """What writing to a body raises."""
    no_body: Exception | None = None
    """What asking for a body raises."""
    may_accept: asyncio.Event = field(default_factory=asyncio.Event)
    accepting: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[Received] = field(default_factory=list)
    bodies: list[MemoryBody] = field(default_factory=list)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_accept.set()

    def size_limit(self, origin: Origin) -> int:
        return self.limit

    def sender(self, reverse_path: Address | None, origin: Origin) -> Reply | None:
        return self.refused_senders.get(str(reverse_path or ""))

    def recipient(
        self, forward_path: Address, reverse_path: Address | None, origin: Origin
    ) -> Reply | None:
        return self.refused_recipients.get(str(forward_path))

    def incoming(self) -> MemoryBody:
        if self.no_body is not None:
            raise self.no_body
        body = MemoryBody()
        body.trouble = self.trouble
        self.bodies.append(body)
        return body

    async def accept(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> Accepted | Reply:
        assert isinstance(body, MemoryBody)
        self.accepting.set()
        await self.may_accept.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        self.received.append(Received(envelope, origin, bytes(body.octets)))
        self._grown.set()
        return Accepted(f"Q{len(self.received)}")

    async def has_received(self, count: int) -> None:
        """Wait until that many messages have arrived."""
        while len(self.received) < count:
            self._grown.clear()
            await asyncio.wait_for(self._grown.wait(), PATIENCE)


class Client:
    """Sends octets, receives lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *lines: str) -> None:
        self.send("".join(f"{line}\r\n" for line in lines).encode())

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def line(self) -> str:
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError(f"closed after {line!r}")
        return line[:-2].decode()

    async def reply(self) -> str:
        """A reply, its lines joined by `|`."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "|".join(lines)

    async def ask(self, *lines: str) -> str:
        """Send, and receive one reply."""
        self.say(*lines)
        return await self.reply()

    async def is_closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE) == b""
        except ConnectionResetError:
            return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="localhost")

    def abort(self) -> None:
        """Hang up with a reset, in both directions at once."""
        mine = self.writer.get_extra_info("socket")
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def begin_data(client: Client) -> None:
    client.say(*ENVELOPE, "DATA")
    replies = [await client.reply() for _ in range(3)]
    assert replies[-1] == "354 End data with <CR><LF>.<CR><LF>", replies


async def send_message(client: Client, *lines: str) -> str:
    await begin_data(client)
    return await client.ask(*lines, ".")


@dataclass
class House:
    """A running server with its reception and journal."""

    server: Server
    reception: MemoryReception
    entries: list[Entry]

    @property
    def port(self) -> int:
        return int(self.server.addresses[0].rpartition(":")[2])

    async def connect(self, tls: ssl.SSLContext | None = None) -> Client:
        """A client that has not read the greeting yet."""
        name = "localhost" if tls else None
        return Client(
            *await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)
        )

    async def greeted(self, hello: str = "EHLO client.example") -> Client:
        """A client that has sent EHLO."""
        client = await self.connect()
        assert (await client.reply()).startswith("220 ")
        assert (await client.ask(hello)).startswith("250")
        return client

    @property
    def conversation(self) -> Conversation:
        """The only one in progress."""
        (only,) = self.server._connections
        return only

    def events(self, event: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.event == event]


@asynccontextmanager
async def serving(
    *listeners: Listener,
    reception: MemoryReception | None = None,
    limits: Limits | None = None,
    logins: tuple[Login, ...] = (),
    clock: Clock | None = None,
    grace: timedelta = timedelta(),
    transcribed: tuple[Network, ...] = (),
) -> AsyncIterator[House]:
    """A server on a free port of the loopback address."""
    clock = clock or SystemClock()
    entries: list[Entry] = []
    reception = reception or MemoryReception()
    server = Server(
        listeners or (Listener(address="127.0.0.1:0"),),
        limits or Limits(),
        "relay.example",
        logins,
        reception,
        Journal(clock, entries.append),
        clock,
        transcribed=transcribed,
    )
    await server.start()
    try:
        yield House(server, reception, entries)
    finally:
        await server.stop(grace)
