"""The SMTP server: opens the listeners, runs a conversation for each client, stops in order.

What is always true here: either all listeners are open or none is, and a `ListenError` says which
one was at fault; on `stop` no new client comes in, a message that is being sent may end within the
grace, and a message that the reception is taking over is never interrupted.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.model import Reception
from graphrelay.smtp.admission import Gate, QuietJournal
from graphrelay.smtp.conversation import Conversation
from graphrelay.smtp.listener import (
    Limits,
    Listener,
    ListenError,
    UnixEndpoint,
    endpoint,
    mistake,
    strangers_can_reach,
)
from graphrelay.smtp.login import Login, LoginBook
from graphrelay.smtp.replies import STOPPING
from graphrelay.smtp.service import (
    MESSAGE,
    Door,
    Service,
    patience_for_a_command,
    patience_for_a_message,
)
from graphrelay.smtp.sockets import close_all, name_of, open_sockets
from graphrelay.smtp.tls import Certificate

_LOOK_EVERY: Final = timedelta(seconds=1)
_LAST_PATIENCE: Final = timedelta(seconds=60)
"""For the conversations to end when they have been told to."""
_BACKLOG: Final = 1024


class Server:
    """All listeners of the relay."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        limits: Limits,
        hostname: str,
        logins: Sequence[Login],
        reception: Reception,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._listeners = tuple(listeners)
        self._journal = journal
        self._clock = clock
        self._service = Service(
            hostname=hostname,
            limits=limits,
            logins=LoginBook(tuple(logins), clock),
            reception=reception,
            journal=journal,
            quiet=QuietJournal(journal, clock),
            clock=clock,
            gate=Gate(limits),
            for_a_command=patience_for_a_command(limits),
            for_a_message=patience_for_a_message(limits),
        )
        self._servers: list[asyncio.Server] = []
        self._addresses: list[str] = []
        self._paths: list[Path] = []
        self._connections: set[Conversation] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, with the real ports; `localhost` may make two of one listener."""
        return tuple(self._addresses)

    async def start(self) -> None:
        """Open all listeners, then serve. Raises `ListenError`."""
        try:
            for listener in self._listeners:
                await self._open(listener)
        except BaseException:
            self._close_listeners()
            raise
        for server in self._servers:
            await server.start_serving()
        self._watch = asyncio.create_task(self._watch_the_slow(), name="smtp-patience")

    async def stop(self, grace: timedelta = timedelta()) -> None:
        """Let nobody in, send all away with 421; who is sending a message may do so for `grace`."""
        self._stopping = True
        self._close_listeners()
        for conversation in self._connections:
            conversation.wire.dismiss(STOPPING, spare=MESSAGE)
        await self._wait_for_conversations(grace)
        for conversation in self._connections:
            conversation.wire.dismiss(STOPPING)
        await self._wait_for_conversations(_LAST_PATIENCE)
        if self._tasks:
            self._journal.error("smtp-stopped-hard", conversations=len(self._tasks))
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self._drop_connections()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _open(self, listener: Listener) -> None:
        problem = mistake(listener) or strangers_can_reach(listener)
        if problem is not None:
            raise ListenError(problem)
        certificate = Certificate(listener, self._journal) if listener.tls != "off" else None
        door = Door(listener, self._service, certificate)
        opened = await open_sockets(listener.address)
        while opened:
            try:
                await self._listen(door, opened[0])
            except BaseException:
                close_all(opened)
                raise
            opened.pop(0)

    async def _listen(self, door: Door, opened: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if opened.family == socket.AF_UNIX else loop.create_server
        server = await create(
            lambda: Conversation(door, self._began, self._ended),
            sock=opened,
            backlog=_BACKLOG,
            start_serving=False,
        )
        self._servers.append(server)
        if isinstance(where := endpoint(door.listener.address), UnixEndpoint):
            self._paths.append(where.path)
        self._addresses.append(name_of(opened))
        self._journal.notice(
            "listening",
            address=self._addresses[-1],
            tls=door.listener.tls,
            auth=door.listener.auth,
        )

    def _close_listeners(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()

    def _began(self, conversation: Conversation) -> None:
        self._connections.add(conversation)
        if self._stopping:  # it was waiting to be taken in when the listeners closed
            conversation.wire.dismiss(STOPPING)
        task = asyncio.create_task(conversation.converse())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self, conversation: Conversation) -> None:
        self._connections.discard(conversation)

    async def _watch_the_slow(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            now = self._clock.monotonic()
            for conversation in tuple(self._connections):
                conversation.wire.check_patience(now)

    async def _wait_for_conversations(self, patience: timedelta) -> None:
        if not self._tasks:
            return
        timer = asyncio.create_task(self._clock.sleep(patience))
        over = asyncio.create_task(asyncio.wait(tuple(self._tasks)))
        await asyncio.wait((timer, over), return_when=asyncio.FIRST_COMPLETED)
        for task in (timer, over):
            task.cancel()
        await asyncio.gather(timer, over, return_exceptions=True)

    async def _drop_connections(self) -> None:
        """Hang up on those who do not close their side."""
        for conversation in tuple(self._connections):
            conversation.wire.abort()
        for _ in range(100):
            if not self._connections:
                return
            await asyncio.sleep(0)
