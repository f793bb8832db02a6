"""The octets of messages while they come in, and the large ones for as long as the relays own them.

    memory ──▶ up to `inline_limit` ──▶ in the row of the body
       └─────▶ beyond: rows of pieces, and one in `uploads` ──accept──▶ without the latter: ours

Pieces are written while the message comes in, a transaction each that does not wait for the disk:
the commit that accepts the message comes later in the same log, and flushes them with it. A server
that breaks down before may have lost some, so it is accepted only if all are there. What no message
came to is swept when its relay has gone.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres.connections import Connections
from graphrelay.spool.postgres.errors import translated

PIECE = 256 * 1024
READ_LIMIT = 60.0
"""Seconds that a reader waits for a piece."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A small body that stands in memory until it is in its row."""

    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A large body, in rows of pieces under this name."""

    name: str
    size: int


Stored = Kept | Uploaded


class Pieces:
    """The table of pieces."""

    def __init__(
        self, connections: Connections, relay: Callable[[], str], inline_limit: int
    ) -> None:
        self.connections = connections
        self.relay = relay
        self.inline_limit = inline_limit
        self._loop = asyncio.get_running_loop()

    def incoming(self) -> "Incoming":
        return Incoming(self)

    def body(self, name: str, size: int) -> "PieceBody":
        return PieceBody(name, size, self.read)

    async def append(self, name: str, start: int, octets: bytes) -> None:
        """Raises `psycopg.Error`."""
        async with (
            self.connections.one() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            await connection.execute("SET LOCAL synchronous_commit = off")
            if start == 0:
                await connection.execute(
                    "INSERT INTO uploads (body, relay) VALUES (%s, %s)", (name, self.relay())
                )
            await connection.execute(
                "INSERT INTO pieces (body, start, octets) VALUES (%s, %s, %b)",
                (name, start, octets),
            )

    async def forget(self, name: str) -> None:
        """What no message came to. Raises `psycopg.Error`."""
        async with self.connections.one() as connection, connection.transaction():
            gone = await connection.execute("DELETE FROM uploads WHERE body = %s", (name,))
            if gone.rowcount:
                await connection.execute("DELETE FROM pieces WHERE body = %s", (name,))

    def read(self, name: str, start: int, end: int) -> bytes:
        """From another thread than the loop's. Raises `StorageUnavailable`."""
        reading: Future[bytes] = asyncio.run_coroutine_threadsafe(
            self.octets(name, start, end), self._loop
        )
        try:
            return reading.result(READ_LIMIT)
        except TimeoutError as error:
            reading.cancel()
            raise StorageUnavailable("PostgreSQL does not answer") from error
        except psycopg.Error as error:
            raise translated(error, "read a message") from error

    async def octets(self, name: str, start: int, end: int) -> bytes:
        """Raises `psycopg.Error`."""
        async with self.connections.one() as connection:
            found = await connection.cursor(binary=True).execute(_READ, (start, end, name))
            return b"".join([octets async for (octets,) in found])


_READ = """SELECT substr(p.octets,
                         greatest(w.low - p.start, 0)::integer + 1,
                         (least(w.high - p.start, length(p.octets))
                          - greatest(w.low - p.start, 0))::integer)
    FROM pieces p, (SELECT %s::bigint AS low, %s::bigint AS high) w
    WHERE p.body = %s AND p.start < w.high AND p.start + length(p.octets) > w.low
      AND p.start > w.low - 1048576 ORDER BY p.start"""


@dataclass(frozen=True, slots=True)
class PieceBody:
    """model.Body: a large body, in rows of its own."""

    name: str
    size: int
    _read: Callable[[str, int, int], bytes] = field(compare=False, repr=False)

    def read(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        if start >= end:
            return b""
        octets = self._read(self.name, start, end)
        if len(octets) < end - start:
            raise StorageUnavailable(f"the body {self.name} is shorter than it was")
        return octets


class Incoming:
    """model.IncomingBody. Used by one task at a time."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._pending = bytearray()
        self._head = b""
        self._size = 0
        self._written = 0
        self._name = ""
        self._ended = ""

    @property
    def size(self) -> int:
        return self._size

    async def write(self, octets: bytes) -> None:
        self._refuse_if_ended()
        self._pending += octets
        self._size += len(octets)
        while len(self._pending) >= max(PIECE, self._pieces.inline_limit + 1):
            await self._flush()

    async def head(self, limit: int) -> bytes:
        if len(self._head) < min(limit, self._written):
            try:
                self._head = await self._pieces.octets(self._name, 0, min(limit, self._written))
            except psycopg.Error as error:
                raise translated(error, "read back a message") from error
        start = self._head[:limit]
        return start + bytes(memoryview(self._pending)[: max(0, limit - len(start))])

    async def store(self) -> Stored:
        """The body in a form that a row can keep; a large one is in its rows."""
        self._refuse_if_ended()
        if not self._written and self._size <= self._pieces.inline_limit:
            return Kept(bytes(self._pending))
        while self._pending:
            await self._flush()
        return Uploaded(self._name, self._size)

    def hand_over(self) -> None:
        """A committed row refers to it now: `discard` leaves it alone."""
        self._end("it was accepted")

    async def discard(self) -> None:
        name, written = self._name, self._written
        self._end("it was discarded")
        if written:
            with suppress(psycopg.Error):  # then keep_house does it when this relay has gone
                await self._pieces.forget(name)

    async def _flush(self) -> None:
        piece = bytes(memoryview(self._pending)[:PIECE])
        del self._pending[:PIECE]
        self._name = self._name or secrets.token_hex(12)
        start, self._written = self._written, self._written + len(piece)
        try:
            await self._pieces.append(self._name, start, piece)
        except psycopg.Error as error:
            await self.discard()
            raise translated(error, "write a message") from error

    def _end(self, why: str) -> None:
        self._name, self._pending, self._head, self._written = "", bytearray(), b"", 0
        self._ended = self._ended or why

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise StorageUnavailable(f"The spool has no such message in hand: {self._ended}.")
