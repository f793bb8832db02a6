"""The reader's own files: one page, one style sheet, one script, all read once from the package."""

from importlib.resources import files

from aiohttp import web

_FILES = {
    "/": ("index.html", "text/html"),
    "/reader.css": ("reader.css", "text/css"),
    "/reader.js": ("reader.js", "text/javascript"),
}


def add_reader(app: web.Application) -> None:
    """Mount the three files."""
    for path, (name, content_type) in _FILES.items():
        app.router.add_get(path, _Static(name, content_type).answer)


class _Static:
    def __init__(self, name: str, content_type: str) -> None:
        self._text = (files(__package__) / "static" / name).read_text("utf-8")
        self._content_type = content_type

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(text=self._text, content_type=self._content_type)
