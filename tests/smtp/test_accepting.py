"""Clients are accepted again after whatever kept one of them out."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from graphrelay.smtp import accepting
from graphrelay.smtp.accepting import Accepting
from tests.smtp.reception import PATIENCE


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast(asyncio.Transport, transport)
        made.write(b"here")
        made.close()


class Short(socket.socket):
    """Its `accept` raises these first."""

    errors: Iterator[Exception] = iter(())

    def accept(self) -> tuple[socket.socket, object]:
        for error in self.errors:
            raise error
        return super().accept()


@asynccontextmanager
async def opened(*errors: Exception) -> AsyncIterator[tuple[int, list[Exception]]]:
    listening, troubles = Short(), list[Exception]()
    listening.bind(("127.0.0.1", 0))
    listening.errors = iter(errors)
    port = int(listening.getsockname()[1])
    one = Accepting(listening, Greeting, troubles.append)
    one.start(8)
    try:
        yield port, troubles
    finally:
        one.close()


async def greeted(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def no(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "error", [no(errno.EMFILE), no(errno.ENOMEM), no(errno.ECONNABORTED), MemoryError()]
)
async def test_a_client_is_served_after_one_that_could_not_be_accepted(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(accepting, "_AGAIN", 0.01)
    async with opened(error, error) as (port, troubles):
        assert await greeted(port) == b"here"
        assert troubles == [error]  # once a minute


async def test_the_event_loop_is_not_woken_for_ever_while_no_descriptor_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error, turns = no(errno.EMFILE), 0
    monkeypatch.setattr(accepting, "_QUIET", 0)
    async with opened(*[error] * 1000) as (port, troubles):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        while turns < 100 or not troubles:
            turns += 1
            await asyncio.sleep(0)
        assert troubles == [error]
        writer.close()


async def test_a_socket_that_waits_for_descriptors_can_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "_AGAIN", 0.01)
    loop, unhandled, later = asyncio.get_running_loop(), list[object](), asyncio.Event()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    async with opened(no(errno.EMFILE)) as (port, troubles):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        while not troubles:  # noqa: ASYNC110
            await asyncio.sleep(0)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    loop.call_later(0.02, later.set)
    await later.wait()
    assert unhandled == []
