"""The pages as a web application."""

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import Guard
from graphrelay.console.pages import (
    accounts,
    dialog,
    events,
    log,
    message,
    microsoft,
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
    microsoft,
    events,
    monitoring,
    static,
)


def make_app(desk: Desk) -> web.Application:
    """Every page, behind the guard."""
    renderer = Renderer(desk)
    guard = Guard(desk, renderer)
    app = web.Application(client_max_size=LARGEST_FORM, middlewares=[guard.middleware])
    for page in PAGES:
        page.register(app, desk, renderer)
    return app
