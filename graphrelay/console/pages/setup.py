"""Set up: an additional account, from the choice of a scenario to the file of the account.

    /setup ─ scenario ─▶ /setup?scenario=… ─ POST check ─▶ problems, registration filled in
                                           ─ POST write ─▶ written ─▶ Accounts, or what to paste

The script posts the same form during typing, and shows what the answer says about each field.
"""

from typing import Any

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.guard import VISIT, no_turn
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output, VerbError

LONGEST = 4000
"""Characters of an answer."""


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = SetUpPage(desk, renderer)
    app.add_routes([web.get("/setup", pages.show), web.post("/setup", pages.answer)])


class SetUpPage:
    """The choice, the form, and the result."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    @no_turn
    async def show(self, request: web.Request) -> web.StreamResponse:
        if not request[VISIT].session.may_act:
            raise web.HTTPForbidden(text=texts.FOR_OPERATORS)
        given = {key: request.query.get(key, "") for key in ("scenario", "credential")}
        answers = {key: value for key, value in given.items() if value}
        found, *_ = await self._ask(answers, write=False)
        return self._page(request, found, chosen="scenario" in answers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        answers = {
            key: str(value)[:LONGEST]
            for key, value in form.items()
            if key not in ("token", "act") and isinstance(value, str)
        }
        writing = form.get("act") == "write"
        if writing:
            self._desk.acted(request[VISIT], "set up an account", answers.get("account", ""))
        try:
            found, *rest = await self._ask(answers, write=writing)
        except VerbError as error:
            return self._renderer.problem(request[VISIT], 409, str(error))
        end: Output = rest[0] if rest else {"kind": ""}
        if end["kind"] == "written":
            raise web.HTTPSeeOther(f"/accounts#{end['account']}")
        if end["kind"] == "paste":
            return self._renderer.page("paste", request[VISIT], end=end)
        return self._page(request, found, chosen=True, tried=writing)

    async def _ask(self, answers: dict[str, str], *, write: bool) -> list[Output]:
        if "set-up" not in self._desk.verbs:
            raise web.HTTPNotFound(text=texts.NO_FILE)
        return await self._desk.ask("set-up", answers=answers, write=write)

    def _page(
        self, request: web.Request, found: Output, *, chosen: bool, tried: bool = False
    ) -> web.StreamResponse:
        by_key: dict[str, Any] = {one["key"]: one for one in found["fields"]}
        return self._renderer.page(
            "setup",
            request[VISIT],
            found=found,
            chosen=chosen,
            scenario=by_key["scenario"]["answer"],
            credential=by_key.get("credential"),
            fields=[one for one in found["fields"] if one["key"] not in ("scenario", "credential")],
            tried=tried,
            missing=[one["prompt"] for one in found["fields"] if one["missing"]],
        )
