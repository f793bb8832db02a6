"""One message: its envelope, its route, and every attempt with Microsoft's answer."""

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT
from graphrelay.console.pages.queue import ACTS
from graphrelay.console.render import Renderer
from graphrelay.control.verb import VerbError


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    async def show(request: web.Request) -> web.StreamResponse:
        try:
            [message] = await desk.ask("queue-show", queue_id=request.match_info["queue_id"])
        except VerbError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        states = {part["state"] for part in message["parts"]}
        acts = {
            name: words
            for name, words in ACTS.items()
            if (name in ("retry", "hold") and "queued" in states)
            or (name == "release" and "held" in states)
            or (name == "delete" and states & {"queued", "held"})
        }
        return renderer.page("message", request[VISIT], message=message, acts=acts)

    app.router.add_get("/message/{queue_id}", show)
