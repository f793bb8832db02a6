"""A dialog: the progress of a sign-in or a test message, and what to do next."""

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.dialogs import Dialog
from graphrelay.console.guard import VISIT
from graphrelay.console.render import Renderer


def path_of(dialog: Dialog) -> str:
    """Where its page is."""
    return f"/dialogs/{dialog.id}"


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    def found(request: web.Request) -> Dialog:
        who = request[VISIT].session.who
        dialog = desk.dialogs.find(request.match_info["dialog"], who)
        if dialog is None:
            raise web.HTTPNotFound(text=texts.ENDED)
        return dialog

    async def show(request: web.Request) -> web.StreamResponse:
        dialog = found(request)
        return renderer.page(
            "dialog",
            request[VISIT],
            dialog=dialog,
            title=texts.TEST if dialog.verb == "send-test" else texts.AUTHORIZE,
            address=dialog.last("open", "open-elsewhere", "device"),
            incomplete=dialog.last("incomplete"),
            waiting=dialog.last("waiting"),
            asked=dialog.last("asks"),
            end=dialog.last("authorized", "refused"),
        )

    async def answer(request: web.Request) -> web.StreamResponse:
        dialog, form = found(request), await request.post()
        dialog.answer(str(form.get("answer", "")).strip())
        await dialog.begun(desk.clock)
        raise web.HTTPSeeOther(path_of(dialog))

    async def end(request: web.Request) -> web.StreamResponse:
        dialog = found(request)
        desk.acted(request[VISIT], f"stop {dialog.verb}", dialog.on)
        desk.dialogs.end(dialog)
        raise web.HTTPSeeOther("/accounts")

    app.add_routes(
        [
            web.get("/dialogs/{dialog}", show),
            web.post("/dialogs/{dialog}/answer", answer),
            web.post("/dialogs/{dialog}/end", end),
        ]
    )
