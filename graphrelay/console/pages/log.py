"""Log: what happened to mail, what was refused on reception, and the last conversation of a
device."""

import asyncio
import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from graphrelay.console.desk import Desk
from graphrelay.console.forms import moment, number
from graphrelay.console.guard import HEADERS, VISIT, no_turn
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output
from graphrelay.spool.values import MOST_REFUSALS, OUTCOMES

SHOWN = 100
AT_ONCE = 200
"""Rows of an export that are in memory together."""
_WRITTEN = 50
"""Rows that are written in one go; then whatever else waits goes first, such as mail."""
COLUMNS = (
    "at",
    "queue_id",
    "outcome",
    "sender",
    "recipients",
    "subject",
    "size",
    "client",
    "account",
    "mailbox",
    "attempt",
    "http",
    "code",
    "request_id",
    "reason",
)
REFUSED = ("client", "sender", "recipient", "reply", "since", "until")
REFUSED_COLUMNS = (
    "since",
    "at",
    "times",
    "client",
    "listener",
    "login",
    "stage",
    "reply",
    "reason",
    "sender",
    "recipient",
)
ENDS = ("relayed", "failed", "bounced")
"""After these a message may be sent once more."""
_TEXTS = ("sender", "recipient", "subject", "queue_id", "client")


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = LogPages(desk, renderer)
    app.add_routes(
        [
            web.get("/log", pages.show),
            web.get("/log.csv", pages.export),
            web.get("/log/refused", pages.refused),
            web.get("/log/refused.csv", pages.export_refused),
            web.get("/log/transcript", pages.transcript),
        ]
    )


class LogPages:
    """The mail log, its export, and the refusals."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    async def show(self, request: web.Request) -> web.StreamResponse:
        wanted = _filter(request.query)
        before = number(request.query.get("before", ""))
        rows = await self._desk.ask("log", **wanted, before_id=before, limit=SHOWN + 1)
        rows.reverse()
        given = {name: value for name, value in request.query.items() if name != "before" and value}
        more = rows[SHOWN - 1]["id"] if len(rows) > SHOWN else None
        return self._renderer.page(
            "log",
            request[VISIT],
            rows=rows[:SHOWN],
            outcomes=OUTCOMES,
            again=ENDS,
            wanted={
                name: request.query.get(name, "") for name in (*_TEXTS, "outcome", "since", "until")
            },
            next=f"/log?{urlencode({**given, 'before': more})}" if more else "",
            export=f"/log.csv?{urlencode(given)}",
        )

    @no_turn
    async def export(self, request: web.Request) -> web.StreamResponse:
        """All that fits, newest first, some at a time, each in a turn of the user."""
        wanted = _filter(request.query)
        response = web.StreamResponse(headers=_csv("graphrelay-log"))
        await response.prepare(request)
        await response.write(_lines([COLUMNS]))
        before: int | None = None
        while True:
            async with self._desk.turns.turn(request[VISIT].user):
                rows = await self._desk.ask("log", **wanted, before_id=before, limit=AT_ONCE)
                rows.reverse()
                written = bytearray()
                for start in range(0, len(rows), _WRITTEN):
                    await asyncio.sleep(0)
                    written += _rows(rows[start : start + _WRITTEN], COLUMNS)
            await response.write(written)
            if len(rows) < AT_ONCE:
                return response
            before = rows[-1]["id"]

    async def refused(self, request: web.Request) -> web.StreamResponse:
        rows = await self._desk.ask("log-refused", **_refused(request.query), limit=SHOWN + 1)
        rows.reverse()
        given = {name: value for name, value in request.query.items() if value}
        return self._renderer.page(
            "refused",
            request[VISIT],
            rows=rows[:SHOWN],
            more=len(rows) > SHOWN,
            wanted={name: request.query.get(name, "") for name in REFUSED},
            export=f"/log/refused.csv?{urlencode(given)}",
        )

    async def export_refused(self, request: web.Request) -> web.StreamResponse:
        """All that fit: there are never more than `MOST_REFUSALS`."""
        wanted = _refused(request.query)
        rows = await self._desk.ask("log-refused", **wanted, limit=MOST_REFUSALS)
        body = _lines([REFUSED_COLUMNS]) + _rows(rows[::-1], REFUSED_COLUMNS)
        return web.Response(body=body, headers=_csv("graphrelay-refused"))

    async def transcript(self, request: web.Request) -> web.StreamResponse:
        client = request.query.get("client", "").strip()
        found = await self._desk.ask("transcript", client=client) if client else []
        return self._renderer.page(
            "transcript", request[VISIT], client=client, found=found[0] if found else None
        )


def _filter(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = {name: given.get(name, "").strip() for name in _TEXTS}
    if given.get("outcome", "") in OUTCOMES:
        found["outcome"] = given["outcome"]
    found["since"], found["until"] = moment(given.get("since", "")), moment(given.get("until", ""))
    return {name: value for name, value in found.items() if value}


def _refused(given: Any) -> dict[str, Any]:
    """The same for what was refused."""
    return {**_filter(given), "reply": given.get("reply", "").strip()}


def _csv(name: str) -> dict[str, str]:
    return {
        **HEADERS,
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}.csv"',
    }


def _rows(rows: Sequence[Output], columns: Sequence[str]) -> bytes:
    return _lines([_field(row.get(name)) for name in columns] for row in rows)


def _field(value: object) -> str:
    """A cell in which no spreadsheet finds a formula, whoever wrote the text, also if it divides
    the line at semicolons or tabs."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    # Most cells begin with a letter or a digit, and to look for more costs most of an export.
    if not text or (text[0].isalnum() and not _DIVIDER.search(text)):
        return text
    return _FORMULA.sub("\\g<0>'", text)


_DIVIDER = re.compile(r"[;\t\r\n]")
_FORMULA = re.compile(r"""(?:^|[;\t\r\n])(?=[\s"\x00-\x1f]*[=+@\-＝＋＠－])""")
"""Where one would begin; some spreadsheets take signs of full width as well."""


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")
