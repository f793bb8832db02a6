"""/metrics, /healthz and /readyz: without signing in for the networks of `[metrics] allow_from`."""

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.guard import scraped
from graphrelay.console.metrics.health import problems
from graphrelay.console.metrics.snapshot import Snapshots
from graphrelay.console.render import Renderer
from graphrelay.control.verb import VerbError


def register(app: web.Application, desk: Desk, _renderer: Renderer) -> None:
    snapshots = Snapshots(desk)

    @scraped
    async def metrics(request: web.Request) -> web.StreamResponse:
        # A library that only this page needs.
        from prometheus_client.exposition import choose_encoder

        from graphrelay.console.metrics.families import Families

        snapshot = await snapshots.latest()
        families = Families(desk.counts, snapshot, desk.clock.now())
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(families.registry())
        return web.Response(body=body, headers={"Content-Type": content_type})

    @scraped
    async def health(_: web.Request) -> web.StreamResponse:
        try:
            await snapshots.latest()
        except VerbError as error:
            return web.json_response(
                {"alive": True, "accepting": False, "reason": str(error)}, status=503
            )
        return web.json_response({"alive": True, "accepting": True})

    @scraped
    async def ready(_: web.Request) -> web.StreamResponse:
        try:
            snapshot = await snapshots.latest()
        except VerbError as error:
            return web.json_response({"ready": False, "problems": [str(error)]}, status=503)
        found = list(problems(snapshot, desk.options.health, desk.clock.now()))
        return web.json_response(
            {"ready": not found, "problems": found}, status=503 if found else 200
        )

    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", health),
            web.get("/readyz", ready),
        ]
    )
