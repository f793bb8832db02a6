"""The stream that notifies an open page of changes."""

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.guard import HEADERS, VISIT, no_turn
from graphrelay.console.live import stream
from graphrelay.console.render import Renderer


def register(app: web.Application, desk: Desk, _renderer: Renderer) -> None:
    @no_turn
    async def events(request: web.Request) -> web.StreamResponse:
        session = request[VISIT].session
        entered = desk.changes.enter(session.key, lambda: request.transport is None)
        if entered is None:
            raise web.HTTPServiceUnavailable(text=texts.TOO_MANY_PAGES)
        try:
            response = web.StreamResponse(
                headers={**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            await stream(
                desk.changes,
                desk.clock,
                lambda: desk.sessions.is_open(session),
                response.write,
            )
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            desk.changes.leave(entered)
        return response

    app.router.add_get("/events", events)
