"""The style sheet, the script and the icon."""

from importlib.resources import files

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import Handler, public
from graphrelay.console.render import Renderer

_FILES = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def register(app: web.Application, _desk: Desk, _renderer: Renderer) -> None:
    for name, content_type in _FILES.items():
        app.router.add_get(f"/static/{name}", _answer(name, content_type))


def _answer(name: str, content_type: str) -> Handler:
    text = (files("graphrelay.console") / "static" / name).read_text("utf-8")

    @public
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8")

    return answer
