"""/metrics, /healthz and /readyz: without signing in for the networks of `[metrics] allow_from`."""

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import scraped
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output, VerbError


def register(app: web.Application, desk: Desk, _renderer: Renderer) -> None:
    if desk.options.metrics_from is not None:
        app.add_routes(routes(desk.monitoring))


def routes(monitoring: Monitoring) -> list[web.RouteDef]:
    """The three of them, for any application."""

    @scraped
    async def metrics(request: web.Request) -> web.StreamResponse:
        try:
            body, content_type = await monitoring.metrics(request.headers.get("Accept", ""))
        except VerbError as error:
            return web.Response(status=503, text=f"{error}\n")
        return web.Response(body=body, headers={"Content-Type": content_type})

    @scraped
    async def health(_: web.Request) -> web.StreamResponse:
        return _json(*await monitoring.health())

    @scraped
    async def ready(_: web.Request) -> web.StreamResponse:
        return _json(*await monitoring.readiness())

    return [
        web.get("/metrics", metrics),
        web.get("/healthz", health),
        web.get("/readyz", ready),
    ]


def _json(is_well: bool, found: Output) -> web.Response:
    return web.json_response(found, status=200 if is_well else 503)
