"""One listener while it is open: its sockets, and the rules for clients that connect.

What is always true here: a client is received by the rules of that moment, so that they can change
without closing a socket; and what was opened is closed, the file of a Unix socket included.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from graphrelay.smtp.access.listener import UnixEndpoint, endpoint
from graphrelay.smtp.connection.protocol import Connection
from graphrelay.smtp.context import ListenerContext
from graphrelay.smtp.session.conversation import Conversation
from graphrelay.smtp.sockets import close_all, name_of, open_sockets

_BACKLOG: Final = 1024

Notify = Callable[[Conversation], None]


class OpenListener:
    """The open sockets of a listener."""

    def __init__(self, context: ListenerContext, began: Notify, ended: Notify) -> None:
        self.context = context
        self.addresses: list[str] = []
        self._began = began
        self._ended = ended
        self._servers: list[asyncio.Server] = []
        self._path: Path | None = None

    async def open(self) -> None:
        """Bind all sockets; nobody is served yet. Raises `ListenError`, with nothing left open."""
        address = self.context.listener.address
        opened = await open_sockets(address)
        if isinstance(where := endpoint(address), UnixEndpoint):
            self._path = where.path
        try:
            while opened:
                await self._adopt(opened[0])
                opened.pop(0)
        except BaseException:
            close_all(opened)
            self.close()
            raise

    async def serve(self) -> None:
        """Accept clients."""
        for server in self._servers:
            await server.start_serving()

    def close(self) -> None:
        """Accept no more clients; those that are connected stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._path is not None:
            with contextlib.suppress(OSError):  # the next start replaces it
                self._path.unlink()
            self._path = None

    async def _adopt(self, opened: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if opened.family == socket.AF_UNIX else loop.create_server
        self._servers.append(
            await create(
                lambda: Connection(self._begin), sock=opened, backlog=_BACKLOG, start_serving=False
            )
        )
        self.addresses.append(name_of(opened))

    def _begin(self, transport: asyncio.Transport) -> Conversation:
        conversation = Conversation(self.context, transport, self._ended)
        self._began(conversation)
        return conversation
