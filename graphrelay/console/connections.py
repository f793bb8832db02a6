"""The connections of a web server, with limits that the server itself lacks: how many there are,
and how long a client may take.

    accept ─▶ room? ─▶ TLS ─▶ request line, header section ─▶ answering ─▶ response is read
              └─ if not, the connection that asks for nothing for longest is closed

What is always true here: a client that sends no whole request makes room for one that does, so
connections without a request, however many, shut nobody out; and no client has all of them. The
file descriptors that they use are not available for mail.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, cast

from graphrelay.clock import Clock
from graphrelay.smtp.access.admission import LOCAL, client_address, short_of_descriptors

MOST: Final = 200
"""Browsers keep about six open each, and ten viewers are many."""
MOST_EACH: Final = 100
"""Of one address, which may be that of several people (a forwarded port). Connections of a reverse
proxy or a Unix socket have no limit but `MOST`."""
HEAD: Final = timedelta(seconds=30)
"""From connecting, or from the last response, to the end of a request's header section."""
BODY: Final = timedelta(seconds=30)
"""For the body of a request."""
UNREAD: Final = timedelta(seconds=30)
"""How long a client may read nothing of what waits for it."""
LOOK: Final = timedelta(seconds=1)
"""How often deadlines are checked, while anybody is connected."""

Certificate = Callable[[], ssl.SSLContext]
"""The context for the next connection."""


class WebConnection(asyncio.Protocol):
    """One connection: between its transport and `server`, the web server's own protocol."""

    def __init__(
        self, client: str, server: Any, clock: Clock, ended: Callable[["WebConnection"], None]
    ) -> None:
        self.client = client
        self.server = server
        self.establishing: asyncio.Task[None] | None = None
        self._clock = clock
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._since = clock.monotonic()
        self._requests = 0
        self._is_full = False
        self._unread = 0

    # The transport calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.server.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(self)
        self.server.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.server.data_received(data)

    def eof_received(self) -> Any:
        return self.server.eof_received()

    def pause_writing(self) -> None:
        self._is_full, self._since = True, self._clock.monotonic()
        self.server.pause_writing()

    def resume_writing(self) -> None:
        self._is_full, self._since = False, self._clock.monotonic()
        self.server.resume_writing()

    # What it does ----------------------------------------------------------------------------

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a request is answered: it has no deadline."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._since = self._clock.monotonic()

    @property
    def silent_since(self) -> timedelta | None:
        """Since when it asks for nothing; `None` while a request is answered."""
        return None if self._requests else self._since

    def is_late(self) -> bool:
        """Whether a deadline has passed. Asked every `LOOK`: a client that has read since then has
        as much time again."""
        now = self._clock.monotonic()
        before, self._unread = self._unread, self._waiting()
        if self._unread < before:
            self._since = now
        if self._is_full:
            return now - self._since >= UNREAD
        return not self._requests and now - self._since >= (UNREAD if self._unread else HEAD)

    def _waiting(self) -> int:
        """Octets that the client has yet to read."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def close(self) -> None:
        """End it at once, in whatever state it is."""
        if self._transport is not None:
            self._transport.abort()
        elif self.establishing is not None:
            self.establishing.cancel()


class WebConnections:
    """All connections of one web server."""

    def __init__(
        self, protocol: Callable[[], Any], clock: Clock, is_shared: Callable[[str], bool]
    ) -> None:
        """`protocol`: makes the web server's own; `is_shared`: whether an address is that of a
        reverse proxy."""
        self._protocol = protocol
        self._clock = clock
        self._is_shared = is_shared
        self._open: dict[Any, WebConnection] = {}
        """By the web server's protocol."""
        self._somebody = asyncio.Event()

    def of(self, protocol: Any) -> WebConnection | None:
        """The connection of a request, unless it has ended."""
        return self._open.get(protocol)

    async def serve(self, sockets: Iterable[socket.socket], tls: Certificate | None) -> None:
        """Accept clients until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._end_late_ones())
            for one in sockets:
                tasks.create_task(self._accept(one, tls, tasks))

    async def _accept(
        self, listening: socket.socket, tls: Certificate | None, tasks: asyncio.TaskGroup
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, peer = await loop.sock_accept(listening)
            except (OSError, MemoryError):  # no descriptor is free, or the client has left
                await self._clock.sleep(LOOK)
                continue
            client = client_address(peer)
            if short_of_descriptors(connected.fileno()) or not self._make_room(client):
                connected.close()
                continue
            connection = WebConnection(client, self._protocol(), self._clock, self._forget)
            self._open[connection.server] = connection
            self._somebody.set()
            establishing = self._establish(connection, connected, tls() if tls else None)
            connection.establishing = tasks.create_task(establishing)

    async def _establish(
        self, connection: WebConnection, connected: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()
        made = False
        try:
            await loop.connect_accepted_socket(lambda: connection, connected, ssl=tls)
            made = True
        except (OSError, MemoryError):
            pass  # no TLS, or none that is accepted
        finally:
            if not made:
                self._forget(connection)
                connected.close()

    def _make_room(self, client: str) -> bool:
        """Whether another connection of the client can be served."""
        everybody = list(self._open.values())
        own = [one for one in everybody if one.client == client]
        is_limited = client != LOCAL and not self._is_shared(client)
        if is_limited and len(own) >= MOST_EACH:
            return self._close_one(own)
        return len(everybody) < MOST or self._close_one(everybody)

    def _close_one(self, connections: list[WebConnection]) -> bool:
        """Close the one that asks for nothing for longest, if there is such a one."""
        silent = [(since, one) for one in connections if (since := one.silent_since) is not None]
        if not silent:
            return False
        self._close(min(silent, key=lambda pair: pair[0])[1])
        return True

    async def _end_late_ones(self) -> None:
        while True:
            await self._somebody.wait()
            while self._open:
                await self._clock.sleep(LOOK)
                for one in tuple(self._open.values()):
                    if one.is_late():
                        self._close(one)
            self._somebody.clear()

    def _close(self, connection: WebConnection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: WebConnection) -> None:
        self._open.pop(connection.server, None)
