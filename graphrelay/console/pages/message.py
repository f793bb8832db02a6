"""One message: its envelope, its route, every attempt with Microsoft's answer; and what it says,
while the relay has it. Reading it is recorded in the journal.
"""

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT
from graphrelay.console.mail_html import MAIL_POLICY, framed
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

    async def content(request: web.Request) -> web.StreamResponse:
        queue_id = request.match_info["queue_id"]
        desk.acted(request[VISIT], "read the text of", queue_id)
        [found] = await desk.ask("queue-content", queue_id=queue_id)
        return renderer.page("content", request[VISIT], queue_id=queue_id, found=found)

    async def html(request: web.Request) -> web.StreamResponse:
        [found] = await desk.ask("queue-content", queue_id=request.match_info["queue_id"])
        return web.Response(
            text=framed(found["text"] if found["is_html"] else ""),
            content_type="text/html",
            headers={"Content-Security-Policy": MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"},
        )

    app.add_routes(
        [
            web.get("/message/{queue_id}", show),
            web.get("/message/{queue_id}/content", content),
            web.get("/message/{queue_id}/html", html),
        ]
    )
