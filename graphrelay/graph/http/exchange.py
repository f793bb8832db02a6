"""One HTTP request over aiohttp, which always knows how far it got.

Whether a message may have been sent depends on one question: had the last octet of the request
been handed to the network when the connection broke?

    no   NotSent      nothing can have been sent: it is safe to try again
    yes  Lost         it may have been sent: `Uncertain`
         HttpAnswer   what Graph answered, even early (413 while we still write), and even if the
                      connection broke in the middle of the body that followed the status

The body of the request shows it. aiohttp lets it write itself once there is a connection, in a task
of its own; the last piece, or a whole small request with its head, is held back until all before it
has drained, and is handed over in one step. Exceptions of aiohttp say less: they do not distinguish
a request cut in the middle from one cut after its end. (docs/decisions/http-connection.md)
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.connection import AT_ONCE
from graphrelay.graph.http.deadline import MovingDeadline

LONGEST_ERROR = 64 * 1024
"""Octets read of an error, which usually has some hundred; after that the connection is closed."""

_ZLIB = ("gzip", "x-gzip", "deflate")
_ANY_HEADER = zlib.MAX_WBITS | 32  # gzip's and zlib's own
_BROKE_OFF = "4.4.2"


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
    """An HTTP request whose body has `size` octets. `url` goes out as it is, encoded already."""

    method: str
    url: URL
    headers: dict[str, str] = field(repr=False)
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

RequestBody = bytes | AsyncGenerator[bytes, None]
"""All of a small body, at most `AT_ONCE` octets, or the pieces of a large one."""


class BodyChanged(Exception):  # noqa: N818 (a condition of our own disk, not of the other side)
    """The body has more or fewer octets than its size says. Nothing was sent whole."""


class HttpAttempt(aiohttp.Payload):
    """A request and its result; used once. It is the body that aiohttp sends.

    `peer` is what it connects to, in words.
    """

    def __init__(
        self,
        request: Request,
        body: bytes | AsyncIterator[bytes],
        peer: str,
        timeouts: Timeouts,
    ) -> None:
        super().__init__(None)
        self._size = request.size
        self._request = request
        self._body = body
        self._peer = peer
        self._timeouts = timeouts
        self._deadline = MovingDeadline()
        self._late = ""
        self._writing = asyncio.Lock()
        self._unreadable: Exception | None = None
        self._answer: aiohttp.ClientResponse | None = None
        self._kept = bytearray()
        self._longest = max(request.keep, LONGEST_ERROR)
        self._whole = False
        self.begun = False
        """Whether there was a connection for it."""

    async def over(
        self, session: aiohttp.ClientSession, proxy_headers: LooseHeaders | None = None
    ) -> HttpResult:
        """Send, and read the answer. Raises `BodyChanged`, and what reading `body` raises."""
        why = ""
        try:
            async with self._deadline:
                await self._converse(session, proxy_headers)
        except TimeoutError:
            if not self._deadline.expired():
                raise
            why = self._late
        except (aiohttp.ClientError, UnicodeError, OverflowError) as error:
            if unreachable := self._unreachable(error):
                return unreachable
            why = _said(error)
        finally:
            async with self._writing:  # aiohttp cancels it, and does not wait
                pass
        if self._unreadable is not None:
            raise self._unreadable
        return self._came_of_it(why)

    def _came_of_it(self, why: str) -> HttpResult:
        if self._answer is not None:
            return _read(self._answer, bytes(self._kept), self._longest)
        if self._whole:
            return Lost(why)
        if self.begun:
            return NotSent(why)
        return NotSent(f"{self._peer}{why if why == self._late else f': {why}'}", "4.4.1")

    async def _converse(
        self, session: aiohttp.ClientSession, proxy_headers: LooseHeaders | None
    ) -> None:
        limit = self._timeouts.connect
        self._let_pass(limit, f" could not be reached within {_seconds(limit)} s")
        answer = await session.request(
            self._request.method,
            self._request.url,
            headers=self._request.headers,
            data=self,
            allow_redirects=False,
            proxy_headers=proxy_headers,
        )
        self._answer = answer
        self._let_pass(self._timeouts.answer)
        try:
            while len(self._kept) < self._longest and (octets := await answer.content.readany()):
                self._kept += octets[: self._longest - len(self._kept)]
        finally:
            answer.close()

    def _let_pass(self, limit: timedelta | None, late: str = "") -> None:
        """One deadline for everything, moved as the request progresses; `late` says what it means
        to miss it."""
        self._deadline.move(limit)
        self._late = late

    def _unreachable(self, error: Exception) -> NotSent | None:
        """What to say of an error that came before there was a connection."""
        host = self._request.url.host
        match error:
            case aiohttp.ClientConnectorCertificateError():
                why = getattr(error.certificate_error, "verify_message", error.certificate_error)
                return NotSent(f"the certificate of {error.host} is not trusted: {why}", "4.7.5")
            case aiohttp.ClientConnectorSSLError():
                why = getattr(error.os_error, "reason", None) or error.os_error
                return NotSent(f"no TLS session with {error.host}: {why}", "4.7.5")
            case aiohttp.ClientConnectorError():
                what = error.host if error.host == host else self._peer
                why = error.os_error.strerror or error.os_error
                return NotSent(f"{what} could not be reached: {why}", "4.4.1")
            case aiohttp.ClientHttpProxyError():
                return NotSent(f"{self._peer} answered {error.status}", "4.4.1")
            case UnicodeError() | OverflowError() | aiohttp.InvalidURL():  # of the name or the port
                return NotSent(f"{self._peer} is not an address that can be connected to", "4.4.1")
        return None

    # The body, as aiohttp asks for it -------------------------------------------------------------

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """The last piece goes out once all before it have drained."""
        async with self._writing:
            self.begun = True
            if isinstance(self._body, bytes):
                last = self._body
            else:
                last = await self._write_all_but_last(writer, self._body)
            if writer.transport is None or writer.transport.is_closing():
                raise aiohttp.ClientConnectionResetError("the connection broke")
            limit = self._timeouts.answer
            self._let_pass(limit, f"no answer within {_seconds(limit)} s")
            self._whole = True
            await writer.write(last)

    async def _write_all_but_last(
        self, writer: AbstractStreamWriter, body: AsyncIterator[bytes]
    ) -> bytes:
        """Small pieces are gathered. Returns what is left to write."""
        self._let_pass(None)
        gathered = b""
        async with aclosing(self._read(body)) as pieces:
            async for piece in pieces:
                if len(gathered) + len(piece) <= AT_ONCE:
                    gathered += piece
                    continue
                self._let_pass(self._timeouts.stall, "the other side stopped reading")
                await writer.write(gathered)
                await writer.drain()
                await asyncio.sleep(0)  # so that what came in meanwhile is received
                self._let_pass(None)
                gathered = piece
        return gathered

    async def _read(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The pieces, as long as they are `size` octets; what is wrong with them is kept, since
        aiohttp would take it for an error of the connection."""
        left = self._request.size
        try:
            async for piece in body:
                left -= len(piece)
                if left < 0:
                    break
                yield piece
            if left:
                raise BodyChanged("the message on disk is not as long as it was")
        except Exception as error:
            self._unreadable = error
            raise

    async def write(self, writer: AbstractStreamWriter) -> None:
        """As `write_with_length`, by its older name."""
        await self.write_with_length(writer, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Not possible: it is read once, as it goes out."""
        raise TypeError("the body of a request is a stream")


class Broken(aiohttp.ClientError):
    """The connection broke; the text says how."""


async def once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A middleware of aiohttp for what it would do behind our back: make a GET, PUT or DELETE again
    if the connection broke that it reused, and give a request without a body a length."""
    if request.method != "POST" and request.headers.get("Content-Length") == "0":
        del request.headers["Content-Length"]
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:
        raise Broken("the other side closed the connection") from error
    except aiohttp.ClientOSError as error:
        raise Broken(f"the connection broke ({error.strerror or error})") from error


def _read(answer: aiohttp.ClientResponse, body: bytes, longest: int) -> HttpAnswer:
    lowered: dict[str, str] = {}
    for octets, value in answer.raw_headers:
        name, text = octets.decode("latin-1").lower(), value.decode("latin-1")
        is_list = name == "www-authenticate" and name in lowered  # RFC 9110 section 11.6.1
        lowered[name] = f"{lowered[name]}, {text}" if is_list else text
    return HttpAnswer(answer.status, lowered, _unpacked(lowered, body, longest))


def _unpacked(headers: Mapping[str, str], body: bytes, longest: int) -> bytes:
    """A body that came compressed, though the relay does not ask for it, unpacked to at most
    `longest` octets; unchanged, if it is not what its header says."""
    if headers.get("content-encoding", "").strip().lower() not in _ZLIB:
        return body
    try:
        return zlib.decompressobj(_ANY_HEADER).decompress(body, longest)
    except zlib.error:
        return body


def _said(error: Exception) -> str:
    match error:
        case Broken():
            return str(error)
        case aiohttp.ClientResponseError():
            return f"not an HTTP answer ({error.message})"
    return str(error)


def _seconds(limit: timedelta) -> int:
    return round(limit.total_seconds())
