"""A load of SMTP clients: many connections at once, raw sockets, nothing shared with the relay.

Every command waits for its reply, as ordinary clients do. The answer to the final dot is timed for
each message.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

HEADERS = (
    b"From: Shop <wp@contoso.com>\r\nTo: a@example.org\r\nSubject: Order confirmed\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
_LINE = b"All work and no play makes the postmaster a dull boy, said the mail log.\r\n"


@dataclass(slots=True)
class Load:
    """The results of a run, in seconds."""

    messages: int
    seconds: float = 0.0
    final_dot: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.final_dot)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def message(number: int, size: int, sender: str = "wp@contoso.com") -> bytes:
    """A message of about `size` octets with a Message-ID of its own, ready for DATA."""
    head = (
        HEADERS.replace(b"wp@contoso.com", sender.encode())
        + b"Message-ID: <%d.load@contoso.com>\r\n\r\n" % number
    )
    lines = max(1, (size - len(head)) // len(_LINE))
    return head + _LINE * lines + b".\r\n"


async def run(
    port: int,
    *,
    connections: int,
    messages: int,
    per_connection: int,
    size: int,
    sender: str = "wp@contoso.com",
) -> Load:
    """Send `messages` over `connections` clients at once, each reconnecting after
    `per_connection` of them."""
    load = Load(messages)
    numbers = iter(range(messages))
    started = time.perf_counter()
    async with asyncio.TaskGroup() as clients:
        for _ in range(connections):
            clients.create_task(_client(port, numbers, per_connection, size, load, sender))
    load.seconds = time.perf_counter() - started
    return load


async def _client(
    port: int, numbers: Iterator[int], per_connection: int, size: int, load: Load, sender: str
) -> None:
    waiting = list(_take(numbers, per_connection))
    while waiting:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        await _reply(reader)
        await _command(reader, writer, b"EHLO client.contoso.com")
        for number in waiting:
            octets = message(number, size, sender)
            await _transaction(reader, writer, octets, load, sender)
        await _command(reader, writer, b"QUIT")
        writer.close()
        await writer.wait_closed()
        waiting = list(_take(numbers, per_connection))


async def _transaction(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    octets: bytes,
    load: Load,
    sender: str,
) -> None:
    await _command(reader, writer, f"MAIL FROM:<{sender}>".encode())
    await _command(reader, writer, b"RCPT TO:<a@example.org>")
    await _command(reader, writer, b"DATA")
    for start in range(0, len(octets), 256 * 1024):
        writer.write(octets[start : start + 256 * 1024])
        await writer.drain()
    asked = time.perf_counter()
    code = await _reply(reader)
    load.final_dot.append(time.perf_counter() - asked)
    load.refused += code != 250


async def _command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> int:
    writer.write(line + b"\r\n")
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> int:
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            return int(line[:3])


def _take(numbers: Iterator[int], count: int) -> Iterator[int]:
    for number in numbers:
        yield number
        count -= 1
        if not count:
            return
