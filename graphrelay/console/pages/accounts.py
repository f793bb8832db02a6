"""Accounts: who is authorized, for what, until when; and everything that can be done with it."""

from typing import Any

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.desk import Desk
from graphrelay.console.dialogs import Dialog
from graphrelay.console.guard import VISIT
from graphrelay.console.pages.dialog import path_of
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output, VerbError


async def all_statuses(desk: Desk) -> list[Output]:
    """Each account as it stands, without asking Entra for a new token."""
    return await desk.ask("status", prove=False)


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = AccountsPage(desk, renderer)
    app.add_routes(
        [
            web.get("/accounts", pages.show),
            web.post("/accounts/{account}/check", pages.check),
            web.post("/accounts/{account}/authorize", pages.authorize),
            web.post("/accounts/{account}/revoke", pages.revoke),
            web.post("/accounts/{account}/test", pages.test),
        ]
    )


class AccountsPage:
    """One page, and an action for each of its buttons."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    async def show(self, request: web.Request) -> web.StreamResponse:
        accounts: list[dict[str, Any]] = []
        for found in await all_statuses(self._desk):
            checked = self._desk.checked.get(found["account"])
            accounts.append(
                {
                    **found,
                    "checked_at": checked[0].isoformat(timespec="seconds") if checked else None,
                    "checked": checked[1] if checked else None,
                    "application": found["scenario"] in ("any-user", "scoped-users"),
                }
            )
        return self._renderer.page(
            "accounts",
            request[VISIT],
            accounts=accounts,
            here=request[VISIT].caller.is_here,
            methods=[(method, *words) for method, words in texts.METHODS.items()],
        )

    async def check(self, request: web.Request) -> web.StreamResponse:
        """Ask Entra for a new token, and show what it says."""
        account = request.match_info["account"]
        self._desk.acted(request[VISIT], "check status", account)
        [found] = await self._desk.ask("status", account=account)
        self._desk.checked[account] = (self._desk.clock.now(), found)
        raise web.HTTPSeeOther("/accounts")

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        account, form = request.match_info["account"], await request.post()
        method = str(form.get("method", ""))
        if method not in texts.METHODS:
            raise web.HTTPBadRequest(text=texts.NO_METHOD)
        visit = request[VISIT]
        self._desk.acted(visit, f"authorize ({method})", account)
        self._desk.checked.pop(account, None)
        arguments = {"account": account, "method": method, "by": visit.session.who}
        dialog = await self._begin(request, "authorize", account, arguments)
        if found := dialog.last("open"):
            return self._renderer.page(
                "leave", visit, account=account, target=found["url"], progress=path_of(dialog)
            )
        raise web.HTTPSeeOther(path_of(dialog))

    async def test(self, request: web.Request) -> web.StreamResponse:
        account, form = request.match_info["account"], await request.post()
        try:
            await self._desk.ask("status", account=account, prove=False)
        except VerbError as error:  # the message would go by the routes all the same
            raise web.HTTPNotFound(text=str(error)) from error
        arguments = {"recipient": str(form.get("to", "")), "sender": str(form.get("from", ""))}
        self._desk.acted(request[VISIT], "send a test", f"{account} to {arguments['recipient']}")
        raise web.HTTPSeeOther(path_of(await self._begin(request, "send-test", account, arguments)))

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Asks first."""
        account, form = request.match_info["account"], await request.post()
        if form.get("sure") != "yes":
            return self._renderer.question(
                request[VISIT], "revoke", account, action=str(request.rel_url), back="/accounts"
            )
        self._desk.acted(request[VISIT], "delete authorization", account)
        await self._desk.ask("revoke", account=account)
        self._desk.checked.pop(account, None)
        raise web.HTTPSeeOther("/accounts")

    async def _begin(
        self, request: web.Request, verb: str, account: str, arguments: dict[str, Any]
    ) -> Dialog:
        """Start a dialog, and wait for its first answer."""
        given = {name: value for name, value in arguments.items() if value}
        dialog = self._desk.dialogs.begin(
            self._desk.verbs[verb], verb, account, request[VISIT].session.who, given
        )
        await dialog.begun(self._desk.clock)
        return dialog
