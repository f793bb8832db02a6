"""The pages as a web application."""

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
    sign_in,
    static,
)
from graphrelay.console.render import Renderer

LARGEST_FORM = 64 * 1024
PAGES = (
    overview,
    accounts,
    dialog,
    queue,
    message,
    log,
    settings,
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
    ) -> web.SockSite:
        return web.SockSite(runner, opened, ssl_context=tls, backlog=backlog)
