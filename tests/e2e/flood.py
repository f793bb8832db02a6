"""Many connections that send raw SMTP as fast as they are answered, and keep the replies.

An application may rely on the 250 after the final dot, so that is what is recorded, by Message-ID.
A message whose reply never arrived is sent again as a new one, with a new Message-ID: so a
Message-ID that arrives twice was duplicated by the relay and not by the sender.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LARGE = 300_000
"""Beyond what is kept in a database row; every `ONE_IN`th message is so large."""
ONE_IN = 50


@dataclass(slots=True)
class Told:
    """The replies that the senders got."""

    acknowledged: set[str] = field(default_factory=set)
    """Message-IDs that were answered with 250."""
    unanswered: set[str] = field(default_factory=set)
    """Message-IDs that went out whole, and then the connection was gone."""
    refused: list[str] = field(default_factory=list)
    """Replies to the final dot that were no 250."""
    turned_away: set[str] = field(default_factory=set)
    """Message-IDs that got such a reply."""
    put_off: list[str] = field(default_factory=list)
    """Every unexpected reply, from the greeting on. Each of them ended a connection."""


class Flood:
    """`count` messages over `connections` connections to one port; lost connections are
    replaced."""

    def __init__(
        self, host: str, port: int, *, sender: str | Sequence[str], recipient: str, mark: str
    ) -> None:
        """Several senders take turns."""
        self._host = host
        self.port = port
        self._senders = [sender] if isinstance(sender, str) else list(sender)
        self._recipient = recipient
        self._mark = mark
        self._numbers = itertools.count()
        self._pause, self._stopped = 0.0, False
        self._awaited: list[tuple[int, asyncio.Event]] = []
        self.told = Told()

    async def send(self, count: int, connections: int) -> None:
        """Return when `count` more messages have been acknowledged."""
        work = iter(range(count))
        async with asyncio.TaskGroup() as senders:
            for _ in range(connections):
                senders.create_task(self._sender_loop(work))

    async def keep_sending(self, connections: int, pause: float) -> None:
        """Until `stop`; each connection waits for `pause` seconds after each message."""
        self._pause, self._stopped = pause, False
        await asyncio.gather(*(self._sender_loop(self._endless()) for _ in range(connections)))

    def stop(self) -> None:
        self._stopped = True

    def _endless(self) -> Iterator[int]:
        while not self._stopped:
            yield 0

    async def greeted(self) -> None:
        """Return when the server answers."""
        while True:
            with contextlib.suppress(OSError, EOFError):
                reader, writer = await asyncio.open_connection(self._host, self.port)
                try:
                    await _expect(reader, 220)
                    return
                finally:
                    writer.close()
            await asyncio.sleep(0.02)

    async def connect(self) -> asyncio.StreamWriter:
        """One more connection that sends nothing."""
        _, writer = await asyncio.open_connection(self._host, self.port)
        return writer

    async def acknowledged(self, count: int) -> None:
        """Return when this many have been acknowledged in all."""
        reached = asyncio.Event()
        self._awaited.append((count, reached))
        await reached.wait()

    async def _sender_loop(self, work: Iterator[int]) -> None:
        taken = next(work, None)
        while taken is not None:
            try:
                reader, writer = await asyncio.open_connection(self._host, self.port)
            except OSError:
                await asyncio.sleep(0.02)  # the daemon is being restarted
                continue
            try:
                await _expect(reader, 220)
                await _say(reader, writer, b"EHLO flood.example\r\n", 250)
                while taken is not None:
                    await self._transaction(reader, writer)
                    if self._pause:
                        await asyncio.sleep(self._pause)
                    taken = next(work, None)
                writer.write(b"QUIT\r\n")
            except (OSError, EOFError):
                await asyncio.sleep(0.02)
            except Refused as refused:
                self.told.put_off.append(str(refused))
                await asyncio.sleep(0.02)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = next(self._numbers)
        message_id = f"<{self._mark}.{number}@flood.example>"
        sender = self._senders[number % len(self._senders)]
        await _say(reader, writer, f"MAIL FROM:<{sender}>\r\n".encode(), 250)
        await _say(reader, writer, f"RCPT TO:<{self._recipient}>\r\n".encode(), 250)
        await _say(reader, writer, b"DATA\r\n", 354)
        self.told.unanswered.add(message_id)
        try:
            await _say(reader, writer, self._message(sender, message_id, number), 250)
        except Refused as refused:
            self.told.unanswered.discard(message_id)
            self.told.refused.append(str(refused))
            self.told.turned_away.add(message_id)
            raise
        self.told.unanswered.discard(message_id)
        self.told.acknowledged.add(message_id)
        for count, reached in self._awaited:
            if len(self.told.acknowledged) >= count:
                reached.set()

    def _message(self, sender: str, message_id: str, number: int) -> bytes:
        size = LARGE if number % ONE_IN == ONE_IN - 1 else 500 + number % 3000
        lines = b"every line of it has sixty octets, counting its end of line\r\n" * (size // 61)
        head = (
            f"From: <{sender}>\r\nTo: <{self._recipient}>\r\n"
            f"Subject: {self._mark} {number}\r\nMessage-ID: {message_id}\r\n\r\n"
        )
        return head.encode() + lines + b".\r\n"


class Refused(Exception):  # noqa: N818 (an answer, not an error)
    """An unexpected reply."""


async def _say(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes, code: int
) -> None:
    writer.write(octets)
    await writer.drain()
    await _expect(reader, code)


async def _expect(reader: asyncio.StreamReader, code: int) -> None:
    line = await reader.readuntil(b"\n")
    while line[3:4] == b"-":
        line = await reader.readuntil(b"\n")
    if not line.startswith(str(code).encode()):
        raise Refused(line.decode("utf-8", "replace").strip())
