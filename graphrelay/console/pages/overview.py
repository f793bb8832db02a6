"""Overview: whether everything is well, and what needs attention."""

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT
from graphrelay.console.metrics.snapshot import Snapshots
from graphrelay.console.needs import needs
from graphrelay.console.plot import bars, waits
from graphrelay.console.render import Renderer
from graphrelay.console.tallies import Tallies

MOST = 10_000
"""Rows of refusals that are added up."""


async def refused_today(desk: Desk) -> int:
    """What clients were refused since midnight in UTC."""
    midnight = desk.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = await desk.ask("log-refused", since=midnight.isoformat(), limit=MOST)
    return sum(row["times"] for row in rows)


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    tallies, snapshots = Tallies(desk), Snapshots(desk.ask, desk.clock)

    async def show(request: web.Request) -> web.StreamResponse:
        snapshot = await snapshots.latest()
        day, month = await tallies.day(), await tallies.month()
        here = request[VISIT].caller.is_here
        return renderer.page(
            "overview",
            request[VISIT],
            accounts=snapshot.accounts,
            lanes=snapshot.lanes,
            needs=list(needs(snapshot, desk.monitoring.limits, desk.clock.now(), here=here)),
            figures=snapshot.figures,
            today=tallies.today(day),
            refused=await refused_today(desk),
            day=bars(day, texts.DAY, "%d %b %H:00"),
            month=bars(month, texts.MONTH, "%d %b"),
            waits=waits(day, texts.WAITS, "%d %b %H:00"),
        )

    app.router.add_get("/", show)
