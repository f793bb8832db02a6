"""Overview: whether everything is well, and what needs attention."""

from math import ceil
from typing import Any

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT, by_person
from graphrelay.console.metrics.snapshot import take_snapshot
from graphrelay.console.needs import needs
from graphrelay.console.plot import bars, waits
from graphrelay.console.render import Renderer
from graphrelay.console.shared import SharedAnswer
from graphrelay.console.tallies import Tallies, midnight

MOST = 10_000
"""Rows of refusals that are added up."""


async def refused_since(desk: Desk, since: str) -> int:
    """What clients were refused."""
    rows = await desk.ask("log-refused", since=since, limit=MOST)
    return sum(row["times"] for row in rows)


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    tallies = Tallies(desk.ask, desk.zone)

    async def read() -> dict[str, Any]:
        """What all viewers see, drawn once for all of them."""
        now = desk.clock.now()
        lately = await tallies.lately(now)
        return {
            "snapshot": await take_snapshot(desk.ask),
            "today": lately.days[-1],
            "now": now,
            "zone": now.astimezone(desk.zone).tzname(),
            "refused": await refused_since(desk, midnight(now, desk.zone).isoformat()),
            "day": bars(lately.hours, texts.DAY, "%d %b %H:%M"),
            "month": bars(lately.days, texts.MONTH, "%d %b"),
            "waits": waits(lately.hours, texts.WAITS, "%d %b %H:%M"),
        }

    shared = SharedAnswer(desk.clock, read, lambda: desk.changes.count)

    async def show(request: web.Request) -> web.StreamResponse:
        values = await shared.get(for_person=by_person(request))
        here = request[VISIT].caller.is_here
        found = list(needs(values["snapshot"], desk.monitoring.limits, values["now"], here=here))
        page = renderer.page("overview", request[VISIT], needs=found, **values)
        if not by_person(request) and (left := shared.newer_in) is not None:
            seconds = max(left, desk.changes.pause).total_seconds()
            page.headers["X-Renew-In"] = str(ceil(seconds))
        return page

    app.router.add_get("/", show)
