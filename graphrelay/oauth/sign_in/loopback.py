"""Receiving the redirect of a sign-in on this machine (RFC 8252 section 7.3).

A small HTTP/1.1 server on 127.0.0.1 and ::1, for as long as one sign-in takes. It passes on the
query of `GET /` if its `state` is the expected one, and lets the browser wait for the result of the
sign-in, so that the page can show it. Any other request gets an error and changes nothing.
"""

import asyncio
import contextlib
import hmac
import html
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from urllib.parse import parse_qsl

import h11

READ_TIME = 10.0
ANSWER_TIME = 120.0
"""Seconds that the browser waits for the result; exchanging the code takes about one."""
LARGEST_HEAD = 32 * 1024
PORTS_TRIED = 8


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows at the end."""

    title: str
    text: str
    status: HTTPStatus = HTTPStatus.OK


@dataclass(slots=True)
class Arrival:
    """The browser was redirected here. It waits for `show`."""

    query: str = field(repr=False)
    _page: "asyncio.Future[Page]"

    def show(self, page: Page) -> None:
        """Answer the browser with this page."""
        if not self._page.done():
            self._page.set_result(page)


class RedirectReceiver:
    """`async with RedirectReceiver() as receiver:`; then `receiver.redirect_uri`."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._state = ""
        self._arrived: asyncio.Future[Arrival] | None = None
        self._port = 0
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def redirect_uri(self) -> str:
        """Entra accepts `http://localhost` with any port for public clients. Without a path, as
        it is registered and as Microsoft's libraries send it: nothing says that `/` matches too.
        Browsers come back to `/` all the same."""
        return f"http://localhost:{self._port}"

    async def __aenter__(self) -> "RedirectReceiver":
        self._arrived = asyncio.get_running_loop().create_future()
        for listener in _listeners():
            self._port = listener.getsockname()[1]
            self._servers.append(await asyncio.start_server(self._serve, sock=listener))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.close()
        if self._arrived is not None and self._arrived.done() and not self._arrived.cancelled():
            self._arrived.result().show(_GONE)
        elif self._arrived is not None:
            self._arrived.cancel()
        if self._busy:
            _, late = await asyncio.wait(self._busy, timeout=2)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    def expect(self, state: str) -> None:
        """Accept a redirect with this `state` from now on."""
        self._state = state

    async def arrival(self) -> Arrival:
        """Wait for the browser. Cancel it to give up."""
        assert self._arrived is not None, "the receiver has not been entered"  # noqa: S101
        return await asyncio.shield(self._arrived)

    # One connection --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a stream callback runs in a task)
        self._busy.add(task)
        try:
            async with _closing(writer):
                connection = h11.Connection(h11.SERVER, LARGEST_HEAD)
                page = await self._page_for(connection, reader)
                if page is not None:
                    writer.write(_response(connection, page))
                    await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass  # The browser went away, or the sign-in is over.
        finally:
            self._busy.discard(task)

    async def _page_for(
        self, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> Page | None:
        try:
            async with asyncio.timeout(READ_TIME):
                request = await _request(connection, reader)
        except TimeoutError:
            return None
        except h11.RemoteProtocolError as problem:
            return Page("Not understood", "", HTTPStatus(problem.error_status_hint))
        if request is None:
            return None
        if request.method == b"HEAD":
            return None  # The answer would have no body; browsers do not send HEAD.
        if request.method != b"GET":
            return Page("Not allowed", "", HTTPStatus.METHOD_NOT_ALLOWED)
        path, _, query = request.target.decode("ascii", "replace").partition("?")
        if path != "/" or not self._is_for_us(request):
            return Page("Not found", "", HTTPStatus.NOT_FOUND)
        return await self._page_for_answer(query)

    async def _page_for_answer(self, query: str) -> Page:
        state = query_of(query).get("state", "")
        expected = bool(self._state) and hmac.compare_digest(state.encode(), self._state.encode())
        if not expected or self._arrived is None:
            text = "This answer belongs to another sign-in. Nothing was changed."
            return Page("Not this sign-in", text, HTTPStatus.BAD_REQUEST)
        if self._arrived.done():
            return Page("Already answered", "You can close this window.", HTTPStatus.GONE)
        result: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self._arrived.set_result(Arrival(query, result))
        try:
            async with asyncio.timeout(ANSWER_TIME):
                return await result
        except TimeoutError:
            return _GONE

    def _is_for_us(self, request: h11.Request) -> bool:
        """Guards against DNS rebinding: a site that points its own name at 127.0.0.1."""
        hosts = [value for name, value in request.headers if name == b"host"]
        ours = {f"{name}:{self._port}".encode() for name in ("localhost", "127.0.0.1", "[::1]")}
        return len(hosts) == 1 and hosts[0].lower() in ours


def query_of(redirected: str) -> dict[str, str]:
    """The parameters of a redirect, from its whole address, its query with or without `?`, or its
    fragment. One that is given twice is ignored (RFC 6749 section 3.1)."""
    text = redirected.strip().strip("\"'<>")
    if text.lower().startswith(("http://", "https://")):
        address, _, fragment = text.partition("#")
        query = address.partition("?")[2] or fragment
    else:
        query = text.lstrip("/?#")
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in found:
            twice.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


_GONE = Page("Sign-in ended", "graphrelay has stopped waiting. See its message.", HTTPStatus.OK)


def _listeners() -> list[socket.socket]:
    """Both loopback addresses on one port: `localhost` may mean either to a browser."""
    for _ in range(PORTS_TRIED):
        first = _listener(socket.AF_INET, "127.0.0.1", 0)
        try:
            return [first, _listener(socket.AF_INET6, "::1", first.getsockname()[1])]
        except OSError:
            if not _has_ipv6_loopback():
                return [first]
            first.close()  # Another program has this port on ::1, where a browser may connect.
    raise OSError("no port is free on both 127.0.0.1 and ::1")


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _has_ipv6_loopback() -> bool:
    try:
        _listener(socket.AF_INET6, "::1", 0).close()
    except OSError:
        return False
    return True


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The request's head; `None` where the browser hung up (they connect in advance)."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
        else:
            return None


def _response(connection: h11.Connection, page: Page) -> bytes:
    body = _PAGE.format(title=html.escape(page.title), text=html.escape(page.text)).encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("Connection", "close"),
    ]
    head = h11.Response(
        status_code=page.status, headers=headers, reason=page.status.phrase.encode()
    )
    parts: list[h11.Event] = [head, h11.Data(data=body), h11.EndOfMessage()]
    return b"".join(connection.send(part) or b"" for part in parts)


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>graphrelay: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem;
  color: #1b1b1b; background: #fafafa; }}
h1 {{ font-size: 1.4rem; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #1b1b1b; }} }}
</style></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""
