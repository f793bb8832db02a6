"""Settings: the configuration in effect, the origin of each value, and how clients are set up."""

from aiohttp import web

from graphrelay.console.clients import guides
from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT
from graphrelay.console.render import Renderer


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    async def show(request: web.Request) -> web.StreamResponse:
        in_force = desk.in_force()
        return renderer.page(
            "settings",
            request[VISIT],
            in_force=in_force,
            listeners=[(one, guides(one, desk.host)) for one in in_force.listeners],
        )

    app.router.add_get("/settings", show)
