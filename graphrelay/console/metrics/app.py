"""The web application of `[metrics] address`: figures and health for whoever `allow_from` names,
and nothing else."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from graphrelay.console.access import origin
from graphrelay.console.guard import HEADERS, refused
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import MetricsOptions
from graphrelay.console.pages.monitoring import routes
from graphrelay.journal import Journal


def make_app(
    options: Callable[[], MetricsOptions], monitoring: Monitoring, journal: Journal
) -> web.Application:
    """`options` may change with a reload."""

    @web.middleware
    async def guarded(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        caller = origin.caller(options(), peer, request.headers)
        refusal = origin.refusal(
            options(), "metrics", caller.client, request.method, request.headers
        )
        if refusal:
            return refused(request, caller, refusal, journal)
        response = await handler(request)
        response.headers.extend(HEADERS)
        return response

    app = web.Application(client_max_size=0, middlewares=[guarded])
    app.add_routes(routes(monitoring))
    return app
