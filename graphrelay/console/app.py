"""The pages as a web application, with a limit on connections: the file descriptors that they use
are not available for mail.
"""

import asyncio
import socket
import ssl

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import Guard
from graphrelay.console.pages import (
    accounts,
    dialog,
    events,
    log,
    message,
    monitoring,
    overview,
    queue,
    settings,
    setup,
    sign_in,
    static,
)
from graphrelay.console.render import Renderer

LARGEST_FORM = 64 * 1024
MOST_CONNECTIONS = 200
"""Browsers keep about six open each, and ten viewers are many."""
PAGES = (
    overview,
    accounts,
    dialog,
    queue,
    message,
    log,
    settings,
    setup,
    sign_in,
    events,
    monitoring,
    static,
)


class App:
    """Every page, behind the guard."""

    def __init__(self, desk: Desk) -> None:
        renderer = Renderer(desk)
        guard = Guard(desk, renderer)
        self.app = web.Application(client_max_size=LARGEST_FORM, middlewares=[guard.middleware])
        for page in PAGES:
            page.register(self.app, desk, renderer)

    def runner(self) -> web.AppRunner:
        return web.AppRunner(self.app, access_log=None, handle_signals=False, shutdown_timeout=0.5)

    def site(
        self, runner: web.AppRunner, opened: socket.socket, tls: ssl.SSLContext | None, backlog: int
    ) -> web.BaseSite:
        return _Site(runner, opened, ssl_context=tls, backlog=backlog)


class _Site(web.SockSite):
    """Hangs up on clients beyond the limit."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, sock=self._sock, ssl=self._ssl_context, backlog=self._backlog
        )

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or len(server.connections) >= MOST_CONNECTIONS:
            return _HangUp()
        return server()


class _HangUp(asyncio.Protocol):
    """For a client above the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
