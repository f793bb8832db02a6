"""Settings: the configuration in effect, the origin of each value, and how clients are set up."""

from aiohttp import web

from graphrelay.console.clients import guides
from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    def page(request: web.Request, reloaded: Output | None = None) -> web.StreamResponse:
        in_force = desk.in_force()
        return renderer.page(
            "settings",
            request[VISIT],
            in_force=in_force,
            listeners=[(one, guides(one, desk.host)) for one in in_force.listeners],
            can_reload="reload" in desk.verbs,
            reloaded=reloaded,
        )

    async def show(request: web.Request) -> web.StreamResponse:
        return page(request)

    async def reload(request: web.Request) -> web.StreamResponse:
        """The mistakes of a file that is refused are an error's text."""
        desk.acted(request[VISIT], "reload", desk.in_force().file)
        [reloaded] = await desk.ask("reload")
        return page(request, reloaded)

    app.add_routes([web.get("/settings", show), web.post("/settings/reload", reload)])
