"""Signing in with Microsoft: there and back.

    /sign-in/microsoft/begin ─▶ Microsoft ─▶ /sign-in/microsoft?code=…&state=… ─▶ the first page

The redirect URI is the address by which the browser reached the console, and must be one of the
app registration: Entra sends nobody anywhere else. Entra knows http:// for localhost alone, so a
browser at 127.0.0.1 goes there first.

Browsers send no SameSite=Strict cookie with a request that comes from another site, and neither
with the redirect that follows. So the sign-in has a cookie of its own (Lax, for ten minutes), and
ends on a page that opens the console by itself.
"""

from typing import Final

from aiohttp import web
from yarl import URL

from graphrelay.console import texts
from graphrelay.console.access.microsoft import Begun, Unwelcome
from graphrelay.console.access.origin import loopback_port
from graphrelay.console.desk import Desk
from graphrelay.console.guard import CALLER, cookie_name, cookie_of, public, set_cookie
from graphrelay.console.options import MicrosoftOptions
from graphrelay.console.pages.sign_in import SignInPages, inside
from graphrelay.console.render import Renderer
from graphrelay.oauth.sign_in.authorizer import SIGN_IN_TIME

PATH: Final = "/sign-in/microsoft"


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = MicrosoftPages(desk, renderer)
    app.add_routes([web.get(f"{PATH}/begin", pages.begin), web.get(PATH, pages.complete)])


class MicrosoftPages:
    """The way there, and the way back."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer
        self._sign_in = SignInPages(desk, renderer)

    @public
    async def begin(self, request: web.Request) -> web.StreamResponse:
        options, target = self._options(), inside(request.query.get("next", "/"))
        scheme = "https" if request[CALLER].is_secure else "http"
        host = request.headers.get("Host", "")
        if scheme == "http" and (port := loopback_port(host)) is not None:
            there = URL.build(scheme="http", host="localhost", port=port, path=f"{PATH}/begin")
            raise web.HTTPSeeOther(str(there.with_query(next=target)))
        begun = await self._desk.microsoft.begin(options, f"{scheme}://{host}{PATH}", target)
        if isinstance(begun, Unwelcome):
            return self._refused(request, begun)
        response = web.Response(status=303, headers={"Location": begun.url})
        return self._with_cookie(request, response, begun)

    @public
    async def complete(self, request: web.Request) -> web.StreamResponse:
        name = self._cookie(request)
        found = await self._desk.microsoft.complete(
            self._options, cookie_of(request, name), request.query
        )
        if isinstance(found, Unwelcome):
            return self._refused(request, found)
        user = found.user
        value = self._sign_in.opened(request, user.username, user.role, "microsoft")
        response = self._renderer.page("welcome", None, who=user.username, target=found.target)
        set_cookie(request, response, value)
        response.del_cookie(name, path="/", secure=request[CALLER].is_secure)
        return response

    def _options(self) -> MicrosoftOptions:
        if self._desk.options.microsoft is None:
            raise web.HTTPNotFound(text=texts.NO_MICROSOFT)
        return self._desk.options.microsoft

    def _refused(self, request: web.Request, found: Unwelcome) -> web.StreamResponse:
        return self._sign_in.refused(request, found.who, found.reason)

    def _cookie(self, request: web.Request) -> str:
        return f"{cookie_name(request, request[CALLER].is_secure)}-microsoft"

    def _with_cookie(
        self, request: web.Request, response: web.Response, begun: Begun
    ) -> web.Response:
        response.set_cookie(
            self._cookie(request),
            begun.cookie,
            max_age=int(SIGN_IN_TIME.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=request[CALLER].is_secure,
        )
        return response
