"""The rules for every request: only permitted users get past this point, and nothing that a
stranger wrote can run.

    who connects ─▶ by which name ─▶ from which site ─▶ signed in? ─▶ form token? ─▶ may act?

A page that anybody may see is marked `public`, one that a viewer may send a form to `harmless`.
Every response gets the same header fields.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

from aiohttp import web

from graphrelay.clock import timeout
from graphrelay.console import texts
from graphrelay.console.access import origin
from graphrelay.console.access.origin import Caller
from graphrelay.console.access.sessions import ConsoleSession
from graphrelay.console.connections import BODY
from graphrelay.console.desk import Desk, SignedInVisit
from graphrelay.console.render import Renderer
from graphrelay.console.turns import TooManyAtOnce
from graphrelay.control.verb import VerbError
from graphrelay.journal import Journal, events
from graphrelay.model import one_line
from graphrelay.smtp.access.admission import is_among

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
F = TypeVar("F", bound=Callable[..., Any])

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-DNS-Prefetch-Control": "off",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
    "Server": "graphrelay",
}
YEAR: Final = "max-age=31536000"

CALLER: Final = web.RequestKey("caller", Caller)
VISIT: Final = web.RequestKey("visit", SignedInVisit)
COOKIE: Final = web.RequestKey("cookie", str)
"""The value of the cookie with which form tokens of this browser are made."""


def public(handler: F) -> F:
    """Anybody may see this page."""
    handler.public = True  # type: ignore[attr-defined]
    return handler


def scraped(handler: F) -> F:
    """For programs: the networks of `[metrics] allow_from` need not sign in."""
    handler.scraped = True  # type: ignore[attr-defined]
    return handler


def harmless(handler: F) -> F:
    """A viewer may send this form."""
    handler.harmless = True  # type: ignore[attr-defined]
    return handler


def no_turn(handler: F) -> F:
    """This answer is no turn of its user: it takes turns by itself, or does not ask the spool."""
    handler.no_turn = True  # type: ignore[attr-defined]
    return handler


def cookie_name(request: web.Request, secure: bool) -> str:
    """Browsers send cookies of one port to all ports, so each console has a name of its own; the
    prefix keeps sites beside this one from setting it (RFC 6265bis 4.1.3.2)."""
    if secure:
        return "__Host-graphrelay"
    port = request.url.explicit_port
    return f"graphrelay-{port}" if port else "graphrelay"


def cookie_of(request: web.Request, name: str) -> str:
    """Its value, or empty. Those that were given out are ASCII."""
    value = request.cookies.get(name, "")
    return value if value.isascii() else ""


def set_cookie(request: web.Request, response: web.StreamResponse, value: str) -> None:
    """Sent by the browser to this console alone, and never shown to scripts."""
    secure = request[CALLER].is_secure
    response.set_cookie(
        cookie_name(request, secure),
        value,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=secure,
    )


def refused(
    request: web.Request, caller: Caller, refusal: origin.RequestRefusal, journal: Journal
) -> web.Response:
    """The answer, and a line in the journal."""
    path = one_line(request.path, 200)
    journal.write(events.RequestRefused(client=caller.client, path=path, reason=refusal.reason))
    return web.Response(
        status=refusal.status, text=f"{texts.REFUSED.format(reason=refusal.reason)}\n"
    )


class Guard:
    """The middleware."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    @property
    def middleware(self) -> Any:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        return guarded

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        request[CALLER] = origin.caller(self._desk.options, peer, request.headers)
        response = await self._answered(request, handler)
        if request.writer.output_size and not response.prepared:
            return _cut(request)
        self.dress(request, response)
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return self._refusal(request) or await self._let_in(request, handler)
        except web.HTTPException as answer:
            return self._plain(request, answer)
        except VerbError as error:
            return self._renderer.problem(request.get(VISIT), 409, str(error))
        except TooManyAtOnce:
            return self._renderer.problem(request.get(VISIT), 429, texts.TOO_MANY_AT_ONCE)
        except ConnectionError:
            return _cut(request)
        except Exception as error:  # a bug, whose details must not be shown
            reason = f"{type(error).__name__}: {error}"
            self._desk.journal.write(
                events.ConsoleBroke(path=one_line(request.path, 200), reason=one_line(reason, 500))
            )
            return self._renderer.problem(request.get(VISIT), 500, texts.BROKE)

    def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set the usual fields where the answer has none of its own."""
        if response.prepared:
            return
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request[CALLER].is_secure:
            response.headers.setdefault("Strict-Transport-Security", YEAR)

    def _plain(self, request: web.Request, answer: web.HTTPException) -> web.StreamResponse:
        if 300 <= answer.status < 400:
            return web.Response(
                status=answer.status, headers={"Location": answer.headers["Location"]}
            )
        return self._renderer.problem(
            request.get(VISIT), answer.status, answer.text or answer.reason
        )

    # Who asks --------------------------------------------------------------------------------

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        """For a request that no browser of an admin makes."""
        refusal = origin.refusal(
            self._desk.options,
            "console",
            request[CALLER].client,
            request.method,
            request.headers,
            is_allowed=self._is_scraper(request),
        )
        return refused(request, request[CALLER], refusal, self._desk.journal) if refusal else None

    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        name = cookie_name(request, request[CALLER].is_secure)
        request[COOKIE] = cookie = cookie_of(request, name)
        # A page that refreshes itself does not keep a session alive after the user has left.
        session = self._desk.sessions.find(cookie, uses=by_person(request)) if cookie else None
        if session:
            token = self._desk.sessions.form_token(cookie)
            request[VISIT] = SignedInVisit(session, request[CALLER], token)
        # aiohttp hands a middleware the handler of the route, wrapped in nothing else.
        route = request.match_info.handler
        if request.method == "POST":
            await self._check_form(request, session, route)
        is_open = getattr(route, "public", False) or self._is_scraper(request)
        if session is None and not is_open:
            if request.match_info.http_exception is not None and request.method != "GET":
                raise request.match_info.http_exception
            return self._to_sign_in(request)
        is_page = not is_open and request.method != "POST"
        if session and is_page and not getattr(route, "no_turn", False):
            async with self._desk.turns.turn(request[VISIT].user):
                return await handler(request)
        return await handler(request)

    def _is_scraper(self, request: web.Request) -> bool:
        return getattr(request.match_info.handler, "scraped", False) and is_among(
            request[CALLER].client, self._desk.options.metrics_from or ()
        )

    def _to_sign_in(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET" or not by_navigation(request):
            return web.Response(status=401, text=f"{texts.NOT_SIGNED_IN}\n")
        if request.path == "/":
            raise web.HTTPSeeOther("/sign-in")
        raise web.HTTPSeeOther(f"/sign-in?next={quote(request.path_qs, safe='')}")

    async def _check_form(
        self, request: web.Request, session: ConsoleSession | None, route: Any
    ) -> None:
        if not is_form(request):
            raise web.HTTPUnsupportedMediaType
        try:
            async with timeout(self._desk.clock, BODY):
                form = await request.post()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text=texts.FORM_TOO_LATE) from None
        except UnicodeDecodeError:
            raise web.HTTPBadRequest(text=texts.FORM_UNREADABLE) from None
        token = str(form.get("token", ""))
        if not self._desk.sessions.is_form_token(request[COOKIE], token):
            raise web.HTTPForbidden(text=texts.FORM_TOO_OLD)
        if session and not session.may_act and not getattr(route, "harmless", False):
            raise web.HTTPForbidden(text=texts.FOR_OPERATOR.format(who=session.who))


def _cut(request: web.Request) -> web.Response:
    """For an answer that has begun and cannot be completed: whatever follows would be taken for a
    part of it, so the connection ends."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def is_form(request: web.Request) -> bool:
    """Whether the body is one that a form of this console has."""
    return (
        request.content_type == "application/x-www-form-urlencoded"
        and (request.charset or "utf-8").lower() == "utf-8"
        and "Content-Encoding" not in request.headers
    )


def by_person(request: web.Request) -> bool:
    """Whether a person asks, and not a page that renews itself."""
    return "X-Renewal" not in request.headers


def by_navigation(request: web.Request) -> bool:
    """Whether a person opens this as a page."""
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
