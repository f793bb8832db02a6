"""One listener while it is open: its sockets, and the rules for clients that connect.

What is always true here: a client is received by the rules of that moment, so that they can change
without closing a socket; and what was opened is closed, the file of a Unix socket included.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from graphrelay.journal import events
from graphrelay.smtp.accepting import Accepting
from graphrelay.smtp.access.listener import UnixEndpoint, endpoint
from graphrelay.smtp.connection.protocol import Connection
from graphrelay.smtp.context import ListenerContext
from graphrelay.smtp.session.conversation import Conversation
from graphrelay.smtp.sockets import name_of, open_sockets

_BACKLOG: Final = 1024

Notify = Callable[[Conversation], None]


class OpenListener:
    """The open sockets of a listener."""

    def __init__(self, context: ListenerContext, began: Notify, ended: Notify) -> None:
        self.context = context
        self.addresses: list[str] = []
        self._began = began
        self._ended = ended
        self._accepting: list[Accepting] = []
        self._path: Path | None = None

    async def open(self) -> None:
        """Bind all sockets; nobody is served yet. Raises `ListenError`, with nothing left open."""
        address = self.context.listener.address
        opened = await open_sockets(address)
        if isinstance(where := endpoint(address), UnixEndpoint):
            self._path = where.path
        for one in opened:
            self.addresses.append(name_of(one))
            self._accepting.append(
                Accepting(one, lambda: Connection(self._begin), self._note_trouble)
            )

    def serve(self) -> None:
        """Accept clients. Raises `OSError`."""
        for one in self._accepting:
            one.start(_BACKLOG)

    def close(self) -> None:
        """Accept no more clients; those that are connected stay."""
        for one in self._accepting:
            one.close()
        self._accepting.clear()
        if self._path is not None:
            with contextlib.suppress(OSError):  # the next start replaces it
                self._path.unlink()
            self._path = None

    def _begin(self, transport: asyncio.Transport) -> Conversation:
        conversation = Conversation(self.context, transport, self._ended)
        try:
            self._began(conversation)
        except BaseException:
            conversation.buffer.lost()  # it may be under way
            conversation.lost(None)
            raise
        return conversation

    def _note_trouble(self, error: Exception) -> None:
        listener, journal = self.context.listener.address, self.context.server.journal
        journal.write(events.ClientNotServed(listener=listener, reason=repr(error)))
