"""One HTTP/1.1 connection, which always knows how far a request got.

That is why it stands on asyncio and h11 instead of on a client library. Whether a message may
have been sent depends on one question: had the last octet of the request been handed to the
network before it broke?

    no   NotSent      nothing can have been sent: try again without a second thought
    yes  Lost         it may have been sent: `Uncertain`
         HttpAnswer   Graph's word, even if it came early (413 while we still write), even if the
                      connection broke in the middle of the body that followed the status

The last piece of a body is kept back until all before it has drained, so that most breaks fall on
the harmless side. (docs/decisions/http-connection.md has the figures.)
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import h11

from graphrelay.graph.answer import HttpAnswer

_AT_ONCE = 96 * 1024
"""What is gathered before it is handed to the network: a small request goes out in one write."""
_LONGEST_HEAD = 64 * 1024
LONGEST_ERROR = 64 * 1024
"""An error of Graph has some hundred octets. More than this is read, but not kept."""

_NOT_SENT_LIMIT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Keeps the kernel from taking a whole message into its buffer long before it is on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the other side may take."""

    connect: timedelta = timedelta(seconds=20)
    """Name, TCP, proxy and TLS together."""
    stall: timedelta = timedelta(seconds=60)
    """Without reading any of what we write."""
    answer: timedelta = timedelta(seconds=150)
    """Once it has all of the request. Long, since giving up leaves doubt; Microsoft's own
    gateway gives up earlier."""
    idle: timedelta = timedelta(seconds=30)
    """A connection unused for longer is not used again: the other side may be closing it."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request whose body has `size` octets; names and values as they go out."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    size: int = 0
    keep: int = 0
    """How much of the answer's body is wanted, if more than `LONGEST_ERROR`."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request did not go out whole; `status` is the enhanced status code for that."""

    reason: str
    status: str = "4.4.2"


@dataclass(frozen=True, slots=True)
class Lost:
    """The request went out whole, and no answer came back."""

    reason: str


Exchanged = HttpAnswer | NotSent | Lost


class BodyChanged(Exception):  # noqa: N818 (a condition of our own disk, not of the other side)
    """The body has more or fewer octets than its size says. Nothing was sent whole."""


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 on a transport: one exchange at a time, as many as the other side allows."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self.transport: asyncio.Transport
        self._changed: asyncio.Future[None] | None = None
        self._write_paused = False
        self._busy = False
        self._ended: str | None = None
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._complete = False
        self._keep = LONGEST_ERROR
        self.idle_since = 0.0

    # What the transport says --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        wire = self.transport.get_extra_info("socket")
        if _NOT_SENT_LIMIT is not None and wire is not None:
            wire.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LIMIT, _AT_ONCE)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.close()
            return
        self._hear(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._ended or _why(exc)
        if self._busy and not self._complete:
            self._hear(b"")
        self._wake()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    # What the client asks -----------------------------------------------------------------------

    @property
    def reusable(self) -> bool:
        """Whether another request may go out here."""
        return self._ended is None and not self._busy and self._http.our_state is h11.IDLE

    def close(self) -> None:
        """At once; safe to call twice."""
        self._ended = self._ended or "we closed the connection"
        self.transport.abort()

    async def exchange(self, request: Request, pieces: AsyncIterator[bytes]) -> Exchanged:
        """Send, and hear the answer. The connection is `reusable` afterwards, or closed.

        Raises `BodyChanged`, and whatever reading `pieces` raises.
        """
        self._busy, self._response, self._complete = True, None, False
        self._body.clear()
        self._keep = max(request.keep, LONGEST_ERROR)
        try:
            result = await self._exchange(request, pieces)
            if self._complete and self._ended is None and self._next_cycle():
                return result
        except BaseException:
            self.close()
            raise
        finally:
            self._busy = False
        self.close()
        return result

    async def _exchange(self, request: Request, pieces: AsyncIterator[bytes]) -> Exchanged:
        trouble = await self._send(request, pieces)
        if trouble is None or self._response is not None:
            await self._until(self._heard_all, self._timeouts.answer)
        if self._response is not None:
            return _answer(self._response, bytes(self._body))
        if trouble is not None:
            return NotSent(trouble)
        seconds = round(self._timeouts.answer.total_seconds())
        return Lost(self._ended or f"no answer within {seconds} s")

    def _heard_all(self) -> bool:
        return self._complete or self._ended is not None

    async def _send(self, request: Request, pieces: AsyncIterator[bytes]) -> str | None:
        """`None`: handed over whole. Else why not."""
        head = request.headers
        if request.size or request.method == b"POST":
            head = [*head, (b"Content-Length", b"%d" % request.size)]
        event = h11.Request(method=request.method, target=request.target, headers=head)
        waiting, left = self._http.send(event) or b"", request.size
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                break
            following = self._http.send(h11.Data(data=piece)) or b""
            if len(waiting) + len(following) <= _AT_ONCE:
                waiting += following
                continue
            if trouble := await self._write(waiting):
                return trouble
            waiting = following
        if left:
            raise BodyChanged("the message on disk is not as long as it was")
        self._http.send(h11.EndOfMessage())
        if not self._may_write():
            return self._stopped_by()
        self.transport.write(waiting)
        return None

    async def _write(self, octets: bytes) -> str | None:
        if self._may_write():
            self.transport.write(octets)
            await asyncio.sleep(0)  # so that what came in meanwhile is heard
            drained = await self._until(
                lambda: not self._write_paused or not self._may_write(), self._timeouts.stall
            )
            if not drained:
                return "the other side stopped reading"
        return None if self._may_write() else self._stopped_by()

    def _stopped_by(self) -> str:
        return self._ended or "the connection broke in the middle of the request"

    def _may_write(self) -> bool:
        """Not after a refusal; an early 2xx or 1xx is no reason to stop."""
        refused = self._response is not None and self._response.status_code >= 300
        return self._ended is None and not refused and not self.transport.is_closing()

    def _hear(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as error:
            self._ended = self._ended or f"not an HTTP answer ({error})"
            self.close()
        self._wake()

    def _read_events(self) -> None:
        while not self._complete:
            match self._http.next_event():
                case h11.Response() as response:
                    self._response = response
                case h11.Data(data=data):
                    self._body += data[: max(0, self._keep - len(self._body))]
                case h11.EndOfMessage() | h11.PAUSED:
                    self._complete = True
                case h11.NEED_DATA | h11.ConnectionClosed():
                    return

    def _next_cycle(self) -> bool:
        """Whether the connection may stay: for another request, or as a tunnel after CONNECT."""
        if self._http.our_state is h11.SWITCHED_PROTOCOL:
            return True
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return self._http.trailing_data == (b"", False)

    # Waiting ------------------------------------------------------------------------------------

    async def _until(self, ready: Callable[[], bool], limit: timedelta) -> bool:
        """Whether it came to be `ready` within `limit`."""
        if ready():
            return True
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while not ready():
                    self._changed = loop.create_future()
                    await self._changed
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


def _answer(response: h11.Response, body: bytes) -> HttpAnswer:
    headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
    return HttpAnswer(response.status_code, headers, body)


def _why(exc: Exception | None) -> str:
    return f"the connection broke ({exc})" if exc else "the other side closed the connection"
