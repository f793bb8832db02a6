"""How much of one client's message is handled before the other clients have their turn: one piece
at most.

This prevents a large message from delaying the commands of others, on any machine. The benchmarks
measure how many milliseconds a piece takes.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from graphrelay.smtp.access.listener import Limits
from graphrelay.smtp.connection.protocol import Connection
from tests.smtp.reception import Client, House, MemoryBody, MemoryReception, serving, until

READ = 65_536
"""Octets that are read from a connection in one go."""
MOST = 3 * READ + 5
"""A read that was being handled, as many octets as may wait before the reading stops, the read that
is one too many, and a line end that was left open."""
SIZE = 30_000_000


async def begin_data(client: Client) -> None:
    client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
    assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]


async def begin_chunk(client: Client) -> None:
    client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", f"BDAT {SIZE + 3} LAST")
    assert [(await client.reply())[:3] for _ in range(2)] == ["250", "250"]


@pytest.mark.parametrize("begin", [begin_data, begin_chunk], ids=["DATA", "BDAT"])
async def test_thirty_megabytes_in_flight_do_not_hold_up_other_commands(
    begin: Callable[[Client], Awaitable[None]],
) -> None:
    limits = Limits(max_recipients=10**9)
    async with (
        serving(reception=MemoryReception(limit=10**9), limits=limits) as house,
        await house.greeted() as small,
        await house.greeted() as big,
    ):
        assert (await small.ask("MAIL FROM:<a@b.example>")).startswith("250")
        await begin(big)
        await until(lambda: house.reception.bodies)
        (body,) = house.reception.bodies
        body.may_write.clear()  # so that the maximum is waiting to be handled
        sender = asyncio.create_task(asyncio.to_thread(_flood, big))
        reads = _reading(house)
        await until(lambda: not reads() or sender.done())
        with _turns(body) as handled:
            body.may_write.set()
            while not sender.done():
                assert (await small.ask("RCPT TO:<c@d.example>")).startswith("250")
            await sender
            assert (await big.ask(".")).startswith("250")
        assert body.size >= SIZE
        assert max(handled) <= MOST


async def test_no_read_takes_more_than_a_piece() -> None:
    async with serving() as house, await house.greeted():
        protocol = house.conversation.buffer._transport.get_protocol()
        assert isinstance(protocol, Connection)
        assert len(protocol.get_buffer(10**9)) <= READ


@contextmanager
def _turns(body: MemoryBody) -> Iterator[list[int]]:
    """How many octets of the message were handled in each turn of the event loop."""
    loop = asyncio.get_running_loop()
    handled: list[int] = []
    seen = body.size
    next_look: asyncio.Handle

    def look() -> None:
        nonlocal seen, next_look
        handled.append(body.size - seen)
        seen = body.size
        next_look = loop.call_soon(look)

    next_look = loop.call_soon(look)
    try:
        yield handled
    finally:
        next_look.cancel()


def _reading(house: House) -> Callable[[], bool]:
    """Whether the connection on which a message arrives is being read."""
    (conversation,) = (c for c in house.server._connections if c.buffer.stage == "the message")
    return conversation.buffer._transport.is_reading


def _flood(client: Client) -> None:
    theirs = client.writer.get_extra_info("socket")
    with socket.socket(fileno=socket.dup(theirs.fileno())) as mine:
        mine.setblocking(True)
        line = b"x" * 998 + b"\r\n"
        for _ in range(SIZE // len(line) // 100):
            mine.sendall(line * 100)
