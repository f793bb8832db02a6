"""Signing in by a link or a password, and out."""

from aiohttp import web

from graphrelay.console import texts
from graphrelay.console.access.sessions import How
from graphrelay.console.desk import Desk
from graphrelay.console.guard import CALLER, COOKIE, VISIT, harmless, public, set_cookie
from graphrelay.console.options import Role
from graphrelay.console.render import Renderer
from graphrelay.journal import events
from graphrelay.smtp.access.login import LockedOut, Login

LONGEST = 1_000
"""Characters of a name or a password."""


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = SignInPages(desk, renderer)
    app.add_routes(
        [
            web.get("/sign-in", pages.show),
            web.post("/sign-in", pages.sign_in),
            web.get("/enter/{link}", pages.show_link),
            web.post("/enter/{link}", pages.enter),
            web.post("/sign-out", pages.sign_out),
        ]
    )


class SignInPages:
    """The two ways in, and the way out."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    @public
    async def show(self, request: web.Request) -> web.StreamResponse:
        return self._form(request, "sign-in", next=inside(request.query.get("next", "/")))

    @public
    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        target = inside(str(form.get("next", "/")))
        if max(len(name), len(password)) > LONGEST:
            raise web.HTTPBadRequest(text=texts.NO_LOGIN)
        client = request[CALLER].client
        verdict = await self._desk.logins.check(client, name, password)
        users = {user.login.name: user for user in self._desk.options.users}
        if isinstance(verdict, Login) and (user := users.get(verdict.name)):
            return self._enter(request, name, user.role, "password", target)
        locked = isinstance(verdict, LockedOut)
        reason = "locked out after many wrong passwords" if locked else "wrong name or password"
        who = name if name in users else ""
        self._desk.journal.write(events.SignInRefused(client=client, who=who, reason=reason))
        said = texts.LOCKED_OUT if locked else texts.WRONG_LOGIN
        return self._form(request, "sign-in", 403, said=said, next=target)

    @public
    async def show_link(self, request: web.Request) -> web.StreamResponse:
        """Only looks at the link; the button uses it."""
        who = self._desk.links.look(request.match_info["link"])
        if who is None:
            return self._void(request)
        return self._form(request, "enter", who=who)

    @public
    async def enter(self, request: web.Request) -> web.StreamResponse:
        who = self._desk.links.use(request.match_info["link"])
        if who is None:
            return self._void(request)
        return self._enter(request, who, "operator", "link", "/")

    @public
    @harmless
    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        if visit := request.get(VISIT):
            self._desk.sessions.close(visit.session)
        return _redirect("/sign-in")

    def _void(self, request: web.Request) -> web.StreamResponse:
        reason = "a link that was used, is older than five minutes, or never was"
        return self.refused(request, "", reason, texts.VOID_LINK)

    def refused(
        self, request: web.Request, who: str, reason: str, said: str = ""
    ) -> web.StreamResponse:
        """The form again, and a line in the journal; `said`: to the person, if not the reason."""
        client = request[CALLER].client
        self._desk.journal.write(events.SignInRefused(client=client, who=who, reason=reason))
        return self._form(request, "sign-in", 403, said=said or reason, next="/")

    def _form(
        self, request: web.Request, name: str, status: int = 200, said: str = "", **values: str
    ) -> web.StreamResponse:
        """A form for a visitor who is not signed in, and the cookie that it needs."""
        sessions = self._desk.sessions
        cookie = request[COOKIE] or sessions.stranger()
        response = self._renderer.page(
            name,
            None,
            status,
            token=sessions.form_token(cookie),
            said=said,
            has_users=bool(self._desk.options.users),
            has_microsoft=self._desk.options.microsoft is not None,
            **values,
        )
        if not request[COOKIE]:
            set_cookie(request, response, cookie)
        return response

    def _enter(
        self, request: web.Request, who: str, role: Role, how: How, target: str
    ) -> web.StreamResponse:
        response = _redirect(target)
        set_cookie(request, response, self.opened(request, who, role, how))
        return response

    def opened(self, request: web.Request, who: str, role: Role, how: How) -> str:
        """The cookie of a new session, whatever cookie the browser had."""
        if visit := request.get(VISIT):
            self._desk.sessions.close(visit.session, "signed in again")
        value = self._desk.sessions.open(who, role, how)
        client = request[CALLER].client
        self._desk.journal.write(events.SignedIn(who=who, role=role, how=how, client=client))
        return value


def inside(target: str) -> str:
    """A path of this console, and of no other site; else the first page."""
    within = (
        target.isascii()
        and target.isprintable()
        and target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
    )
    return target if within else "/"


def _redirect(target: str) -> web.Response:
    return web.Response(status=303, headers={"Location": target})
