"""A web server as a part of the daemon: it listens from the start, and loads with its first client.

What makes pages (aiohttp, templates) takes memory, and most of the time it is not needed: so the
sockets are opened at start, and the rest is loaded with the first connection. A failure has no
effect on mail: an address that is in use is reported in the journal.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from graphrelay.clock import Clock
from graphrelay.console.connections import Certificate, WebConnections
from graphrelay.console.options import WebAddress
from graphrelay.journal import Journal, events
from graphrelay.model import one_line
from graphrelay.smtp.access.admission import LOCAL, client_address, is_among
from graphrelay.smtp.access.listener import ListenError
from graphrelay.smtp.access.tls import ListenerCertificate
from graphrelay.smtp.sockets import close_all, name_of, open_sockets

if TYPE_CHECKING:
    from aiohttp import web

_BACKLOG: Final = 128

What = Literal["console", "metrics"]

_EVENTS: Final = {
    "console": (events.ConsoleListening, events.ConsoleNotListening),
    "metrics": (events.MetricsListening, events.MetricsNotListening),
}


class WebServer:
    """Serves the application that `load` makes."""

    def __init__(
        self,
        what: What,
        where: Callable[[], WebAddress],
        load: Callable[[], "web.Application"],
        journal: Journal,
        clock: Clock,
    ) -> None:
        """`where`: the address, which stays, and the proxies, which a reload may change."""
        self._what = what
        self._where = where
        self._load = load
        self._journal = journal
        self._clock = clock
        self._sockets: list[socket.socket] = []
        self._tls: Certificate | None = None

    @property
    def address(self) -> str:
        """Where it listens, with the actual port; empty where it does not."""
        return name_of(self._sockets[0]) if self._sockets else ""

    async def open(self) -> None:
        """Listen. Raises nothing: a failure is reported in the journal."""
        listener = self._where().listener
        listening, not_listening = _EVENTS[self._what]
        try:
            if listener.tls != "off":
                self._tls = ListenerCertificate(listener, self._journal).context
            self._sockets = await open_sockets(listener.address)
            for one in self._sockets:
                one.listen(_BACKLOG)
                one.setblocking(False)
        except (ListenError, OSError) as error:
            close_all(self._sockets)
            self._sockets = []
            self._journal.write(
                not_listening(
                    address=listener.address,
                    reason=str(error),
                    next=f"mail is not affected; nobody reaches the {self._what} until a restart",
                )
            )
            return
        self._journal.write(listening(address=self.address, tls=listener.tls))

    async def run(self) -> None:
        """Serve until cancelled, if it listens."""
        if not self._sockets:
            return
        try:
            await _first_client(self._sockets)
            await self._serve()
        finally:
            close_all(self._sockets)
            self._sockets = []

    async def _serve(self) -> None:
        from aiohttp import web

        # Some 100 ms of reading files: not in the loop, where mail is accepted.
        app = await asyncio.to_thread(self._load)

        @web.middleware
        async def answering(request: web.Request, handler: Callable[..., Awaitable[Any]]) -> Any:
            connection = connections.of(request.protocol)
            with connection.answering() if connection else nullcontext():
                return await handler(request)

        app.middlewares.insert(0, answering)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_logger(self._journal),
            handle_signals=False,
            shutdown_timeout=0.5,
        )
        await runner.setup()
        connections = WebConnections(cast(Any, runner.server), self._clock, self._is_proxy)
        try:
            await connections.serve(self._sockets, self._tls)
        finally:
            await runner.cleanup()

    def _is_proxy(self, client: str) -> bool:
        return is_among(client, self._where().proxy_from)


def _logger(journal: Journal) -> logging.Logger:
    """For what aiohttp says by itself."""
    logger = logging.Logger("graphrelay.console", logging.WARNING)
    logger.addHandler(_Journaled(journal))
    return logger


class _Journaled(logging.Handler):
    """A line in the journal for a request that is no HTTP, which no page and no `allow_from` has
    seen; with a traceback for each, anybody could fill the system's log."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        from aiohttp.http_exceptions import HttpProcessingError
        from aiohttp.web import RequestPayloadError

        error = record.exc_info[1] if record.exc_info else None
        reason = one_line(f"{type(error).__name__}: {error}" if error else record.getMessage(), 200)
        if isinstance(error, HttpProcessingError | RequestPayloadError):
            address = record.args[0] if isinstance(record.args, tuple) and record.args else ""
            client = client_address((address, 0)) if address else LOCAL
            self._journal.write(events.RequestRefused(client=client, path="", reason=reason))
        else:
            self._journal.write(events.ConsoleBroke(path="", reason=reason))


async def _first_client(sockets: list[socket.socket]) -> None:
    """Wait for the first connection; it is served as soon as the rest is loaded."""
    loop = asyncio.get_running_loop()
    connected = asyncio.Event()
    for one in sockets:
        loop.add_reader(one.fileno(), connected.set)
    try:
        await connected.wait()
    finally:
        for one in sockets:
            loop.remove_reader(one.fileno())
