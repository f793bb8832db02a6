"""One HTTP request over httpx, which always knows how far it got.

Whether a message may have been sent depends on one question: had the last octet of the request
been handed to the network when the connection broke?

    no   NotSent      nothing can have been sent: it is safe to try again
    yes  Lost         it may have been sent: `Uncertain`
         HttpAnswer   what Graph answered, even early (413 while we still write), and even if the
                      connection broke in the middle of the body that followed the status

The iterator of the request's body shows it. It is asked for its first piece once there is a
connection; `stream` holds the last piece back until all before it have been written, hands it over
in one step, and only then asks the body for more. Exceptions of httpx say less: they do not
distinguish a request cut in the middle from one cut after its end.
(docs/decisions/http-connection.md)
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

import httpcore
import httpx

from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.stream import HostUnreachable, NetworkStream

LONGEST_ERROR = 64 * 1024
"""Octets read of an error, which usually has some hundred; after that the connection is closed."""

ATTEMPT = "graphrelay.attempt"
"""The extension of an httpx.Request that holds the `Exchange` it belongs to."""

_ZLIB = ("gzip", "x-gzip", "deflate")
_ANY_HEADER = zlib.MAX_WBITS | 32  # gzip's and zlib's own
_BROKE_OFF = "4.4.2"
_BROKEN = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the other side may take."""

    connect: timedelta = timedelta(seconds=20)
    """Name, TCP, proxy and TLS together."""
    stall: timedelta = timedelta(seconds=60)
    """Without reading any of what we write."""
    answer: timedelta = timedelta(seconds=150)
    """Once it has the whole request. Long, since giving up leaves the outcome uncertain, and
    Microsoft's own gateway gives up earlier."""
    idle: timedelta = timedelta(seconds=30)
    """A connection idle for longer is not used again: the other side may be closing it."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request whose body has `size` octets; names and values as they go out. `base` says
    which host it goes to, `target` what it asks for there."""

    method: bytes
    base: httpx.URL
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    size: int = 0
    keep: int = 0
    """How much of the answer's body is read, if more than `LONGEST_ERROR`."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request did not go out whole; `status` is the enhanced status code for that."""

    reason: str
    status: str = _BROKE_OFF

    @property
    def is_unreachable(self) -> bool:
        """Whether no connection could be made."""
        return self.status != _BROKE_OFF


@dataclass(frozen=True, slots=True)
class Lost:
    """The request went out whole, and no answer came back."""

    reason: str


HttpResult = HttpAnswer | NotSent | Lost


class BodyChanged(Exception):  # noqa: N818 (a condition of our own disk, not of the other side)
    """The body has more or fewer octets than its size says. Nothing was sent whole."""


class HttpAttempt(httpx.AsyncByteStream):
    """A request and its result; used once. It is the body that httpx sends.

    `peer` is what it connects to, in words.
    """

    def __init__(
        self,
        request: Request,
        pieces: AsyncIterator[bytes],
        peer: str,
        timeouts: Timeouts,
    ) -> None:
        self._request = request
        self._pieces = pieces
        self._peer = peer
        self._timeouts = timeouts
        self._deadline = asyncio.timeout(None)
        self._body = self._handed_over()
        self._answer: httpx.Response | None = None
        self._kept = bytearray()
        self._longest = max(request.keep, LONGEST_ERROR)
        self._whole = False
        self.begun = False
        """Whether there was a connection for it."""
        self.ended = False

    async def over(self, transport: httpx.AsyncBaseTransport) -> HttpResult:
        """Send, and read the answer. Raises `BodyChanged`, and what reading `pieces` raises."""
        why = ""
        try:
            async with aclosing(self._body), self._deadline:
                await self._converse(transport)
        except TimeoutError:
            if not self._deadline.expired():
                raise
        except HostUnreachable as error:
            return NotSent(str(error), error.status)
        except _BROKEN as error:
            why = _said(error)
        finally:
            self.ended = True
        return self._came_of_it(why)

    @property
    def target(self) -> bytes:
        """The request target, as it goes out."""
        return self._request.target

    def _came_of_it(self, why: str) -> HttpResult:
        if self._answer is not None:
            return _read(self._answer, bytes(self._kept), self._longest)
        if self._whole:
            return Lost(why or f"no answer within {_seconds(self._timeouts.answer)} s")
        if self.begun:
            return NotSent(why)
        late = f" could not be reached within {_seconds(self._timeouts.connect)} s"
        return NotSent(self._peer + (f": {why}" if why else late), "4.4.1")

    async def _converse(self, transport: httpx.AsyncBaseTransport) -> None:
        self._let_pass(self._timeouts.connect)
        answer = self._answer = await transport.handle_async_request(self._as_httpx_wants_it())
        self._let_pass(self._timeouts.answer)
        stream = answer.extensions.get("network_stream")
        if isinstance(stream, NetworkStream):
            stream.expect(_length(answer))
        async with aclosing(answer):
            async for octets in answer.aiter_raw():
                self._kept += octets[: self._longest - len(self._kept)]
                if len(self._kept) == self._longest:
                    break

    def _as_httpx_wants_it(self) -> httpx.Request:
        asked, headers = self._request, self._request.headers
        if asked.size or asked.method == b"POST":
            headers = [*headers, (b"Content-Length", b"%d" % asked.size)]
        answer, stall = self._timeouts.answer.total_seconds(), self._timeouts.stall.total_seconds()
        limits = {"connect": None, "pool": None, "write": stall, "read": answer}
        return httpx.Request(
            asked.method.decode(),
            asked.base,
            headers=headers,
            stream=self,
            extensions={ATTEMPT: self, "timeout": limits},
        )

    def _let_pass(self, limit: timedelta | None) -> None:
        """One deadline for everything, moved as the request progresses."""
        now = asyncio.get_running_loop().time()
        self._deadline.reschedule(None if limit is None else now + limit.total_seconds())

    # The body, as httpx asks for it -------------------------------------------------------------

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self._body

    async def _handed_over(self) -> AsyncGenerator[bytes, None]:
        self.begun = True
        self._let_pass(None)  # each write has a limit of its own
        left = self._request.size
        async for piece in self._pieces:
            left -= len(piece)
            if left < 0:
                break
            if piece:  # an empty one would end the request before we know of it
                yield piece
        if left:
            raise BodyChanged("the message on disk is not as long as it was")
        # The stream hands over the rest in one step; if it cannot, it does not ask for more.
        yield b""
        self._whole = True
        self._let_pass(self._timeouts.answer)


def _read(answer: httpx.Response, body: bytes, longest: int) -> HttpAnswer:
    lowered: dict[str, str] = {}
    for octets, value in answer.headers.raw:
        name, text = octets.decode("latin-1").lower(), value.decode("latin-1")
        is_list = name == "www-authenticate" and name in lowered  # RFC 9110 section 11.6.1
        lowered[name] = f"{lowered[name]}, {text}" if is_list else text
    return HttpAnswer(answer.status_code, lowered, _unpacked(lowered, body, longest))


def _unpacked(headers: Mapping[str, str], body: bytes, longest: int) -> bytes:
    """A body that came compressed, though the relay does not ask for it, unpacked to at most
    `longest` octets; unchanged, if it is not what its header says."""
    if headers.get("content-encoding", "").strip().lower() not in _ZLIB:
        return body
    try:
        return zlib.decompressobj(_ANY_HEADER).decompress(body, longest)
    except zlib.error:
        return body


def _length(answer: httpx.Response) -> int | None:
    """Of the body, where it is said and counts (RFC 9112 section 6.3)."""
    said = answer.headers.get("content-length", "")
    chunked = "transfer-encoding" in answer.headers
    return int(said) if said.isdecimal() and not chunked else None


def _said(error: Exception) -> str:
    if isinstance(error, httpcore.RemoteProtocolError):
        return f"not an HTTP answer ({error})"
    return str(error)


def _seconds(limit: timedelta) -> int:
    return round(limit.total_seconds())
