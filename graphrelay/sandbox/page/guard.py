"""The rules for every answer of the page: only this machine may ask, and only our own script runs.

The page shows mail that anybody may have written. So the mail's HTML is served under a separate
policy under which nothing can run or load, and the rest under one that allows only our own scripts.
A foreign host name that resolves to this machine (DNS rebinding) is refused by its Host header, a
form or script on another site by the header fields in which browsers state the origin of a request.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from graphrelay import mail_html

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
MAIL_POLICY = f"{mail_html.MAIL_POLICY} allow-popups allow-popups-to-escape-sandbox"
"""For the HTML of a message: no scripts, no remote loads, no forms; links open elsewhere."""

_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-DNS-Prefetch-Control": "off",
    "Cache-Control": "no-store",
}


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign requests, and set the headers of every answer."""
    try:
        response = await handler(request) if _is_local(request) else _misdirected()
    except web.HTTPException as answer:
        # aiohttp raises these as answers, and its own headers would miss the policy.
        response = web.Response(status=answer.status, text=answer.text)
    if not response.prepared:
        dress(response)
    return response


def dress(response: web.StreamResponse) -> None:
    """Set the usual headers where the answer has none of its own."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _is_local(request: web.Request) -> bool:
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    site = request.headers.get("Sec-Fetch-Site", "none")
    return name.lower() in _LOCAL_NAMES and site in ("none", "same-origin")


def _misdirected() -> web.Response:
    return web.Response(status=421, text="This page answers on localhost and 127.0.0.1 only.\n")
