"""A control server with a verb that counts, and a client that asks it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from graphrelay.control.socket import client
from graphrelay.control.socket.server import ControlServer
from graphrelay.control.verb import Asker, Output
from graphrelay.journal import Journal
from tests.clock import FakeClock


async def nobody(what: str) -> str:
    raise AssertionError(f"asked for {what}")


async def converse(
    path: Path, verb: str, arguments: Mapping[str, Any], ask: Asker = nobody
) -> AsyncIterator[Output]:
    """The client, in threads beside the event loop of the server that answers it; if it is
    cancelled, it disconnects."""
    loop = asyncio.get_running_loop()

    def answered(what: str) -> str:
        return asyncio.run_coroutine_threadsafe(ask(what), loop).result()

    with client.connected(path) as connection:
        events = client.asked(connection, verb, arguments, answered)
        try:
            while (event := await asyncio.to_thread(next, events, None)) is not None:
                yield event
        finally:
            with contextlib.suppress(OSError):  # the daemon has disconnected
                connection.shutdown(socket.SHUT_RDWR)


async def count(arguments: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    for number in range(int(arguments["to"])):
        yield {"number": number}


async def collected(path: Path, verb: str, ask: Asker = nobody, **arguments: Any) -> list[Output]:
    return [event async for event in converse(path, verb, arguments, ask)]


def server(path: Path, clock: FakeClock | None = None, **verbs: Any) -> ControlServer:
    clock = clock or FakeClock()
    return ControlServer(path, verbs, Journal(clock), clock)


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until a condition holds for which there is no event."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)
