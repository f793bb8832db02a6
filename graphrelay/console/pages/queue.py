"""Queue: what waits and why, and every action on it, for one message or many."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.forms import number
from graphrelay.console.guard import VISIT
from graphrelay.console.render import Renderer

SHOWN = 100
FILTER = ("state", "account", "mailbox", "route", "sender", "recipient")
ACTS = {name: texts.QUESTIONS[name].button for name in ("retry", "hold", "release", "delete")}

CHANGE = f"/queue/{{what:{'|'.join(ACTS)}}}"


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = QueuePage(desk, renderer)
    app.add_routes([web.get("/queue", pages.show), web.post(CHANGE, pages.change)])


class QueuePage:
    """The list, and changes."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    async def show(self, request: web.Request) -> web.StreamResponse:
        wanted = _filter(request.query)
        after = number(request.query.get("after", ""))
        rows = await self._desk.ask(
            "queue-list", **wanted, after_id=after, limit=SHOWN + 1, count=True
        )
        total = next((row["total"] for row in rows if row.get("kind") == "total"), None)
        rows = [row for row in rows if "queue_id" in row]
        more = rows[SHOWN - 1]["id"] if len(rows) > SHOWN else None
        return self._renderer.page(
            "queue",
            request[VISIT],
            rows=rows[:SHOWN],
            total=total if total is not None else len(rows),
            lanes=await self._desk.ask("lanes"),
            wanted={name: wanted.get(name, "") for name in FILTER},
            query=urlencode(wanted),
            next=f"/queue?{urlencode({**wanted, 'after': more})}" if more else "",
            acts=ACTS,
            for_all=texts.FOR_ALL,
        )

    async def change(self, request: web.Request) -> web.StreamResponse:
        """One message, or all that fit the filter. Deleting, and any action on many messages, asks
        for confirmation."""
        what, form = request.match_info["what"], await request.post()
        queue_id = str(form.get("queue_id", ""))
        wanted = _filter(form)
        chosen: dict[str, Any] = {"queue_id": queue_id} if queue_id else {**wanted, "all": True}
        if form.get("sure") != "yes" and (what == "delete" or not queue_id):
            return await self._ask(request, what, queue_id, wanted)
        on = queue_id or (urlencode(wanted) or "everything")
        self._desk.acted(request[VISIT], f"{what} mail", on)
        reason = self._desk.reason(request[VISIT], form)
        done = await self._desk.ask(f"queue-{what}", what=what, reason=reason, **chosen)
        refused = [event for event in done if not event["changed"]]
        if refused:
            return self._renderer.page(
                "problem",
                request[VISIT],
                409,
                code=409,
                said=texts.SOME_CHANGED.format(
                    changed=len(done) - len(refused),
                    kept=len(refused),
                    first=f"{refused[0]['queue_id']}: {refused[0]['reason']}",
                ),
            )
        if queue_id and what != "delete":
            raise web.HTTPSeeOther(f"/message/{queue_id}")
        raise web.HTTPSeeOther("/queue")

    async def _ask(
        self, request: web.Request, what: str, queue_id: str, wanted: dict[str, str]
    ) -> web.StreamResponse:
        on = queue_id
        if not queue_id:
            rows = await self._desk.ask("queue-list", **wanted, limit=1, count=True)
            count = next((row["total"] for row in rows if row.get("kind") == "total"), len(rows))
            on = texts.messages(count)
        return self._renderer.question(
            request[VISIT],
            what,
            on,
            action=f"/queue/{what}",
            back=f"/message/{queue_id}" if queue_id else "/queue",
            fields={"queue_id": queue_id} if queue_id else wanted,
        )


def _filter(given: Any) -> dict[str, str]:
    found = {name: str(given.get(name, "")).strip() for name in FILTER}
    if found["state"] not in ("queued", "held"):
        found["state"] = ""
    return {name: value for name, value in found.items() if value}
