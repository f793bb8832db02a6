"""One TCP or TLS connection as a network stream of httpcore.

httpcore can use a custom network backend (https://www.encode.io/httpcore/network-backends/). This
one adds what the relay relies on:

    an early answer   input is read while we still write. A refusal (413, 401, 429) ends the
                      writing with `WriteError`, after which httpcore reads the answer; what was
                      received before the connection broke can still be read
    one last step     small writes are collected. An empty write, which ends every request, hands
                      over all that is collected, or raises and hands over nothing of it
    no stray octets   httpcore is given no more input than its answer: any octets left over make
                      the connection unusable for another request
    no endless head   header fields and informational answers are limited to `LONGEST_HEAD`
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, cast

import httpcore

_AT_ONCE = 96 * 1024
"""Octets collected before they are handed to the network: a small request is one write."""
_ENOUGH = 256 * 1024
"""Unread octets above which reading from the other side is paused."""
LONGEST_HEAD = 64 * 1024
"""Octets before the body of an answer, informational answers included; more ends the connection."""
_NOT_SENT_LIMIT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Keeps the kernel from taking a whole message into its buffer long before it is on the stream."""
_HEAD_START = 0.25  # seconds, RFC 8305 section 8

_BLANK_LINE = b"\r\n\r\n"
_INFORMATIONAL = re.compile(rb"(?:HTTP/1\.\d 1\d\d.*?\r\n\r\n)*", re.DOTALL)
_GO_ON = re.compile(rb"HTTP/1\.\d [12]")
_STATUS_LINE = len(b"HTTP/1.1 200")


class HostUnreachable(Exception):  # noqa: N818 (a condition of the network)
    """No connection could be made; the text and the enhanced status code say why."""

    def __init__(self, reason: str, status: str) -> None:
        super().__init__(reason)
        self.status = status


class NetworkStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. It receives all the time, whether anybody reads or not."""

    def __init__(self, open_streams: "set[NetworkStream]") -> None:
        self._open_streams = open_streams
        self._transport: asyncio.Transport
        self._changed: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self._write_paused = False
        self._gathered = b""
        self._heard = bytearray()
        self._last_given = b""
        self._body_left: int | None = None
        self._head_left = LONGEST_HEAD

    # What the transport says --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(cast(asyncio.Transport, transport))
        stream = self._transport.get_extra_info("socket")
        if _NOT_SENT_LIMIT is not None and stream is not None:
            stream.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LIMIT, _AT_ONCE)

    def _attach(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._open_streams.add(self)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) > _ENOUGH:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        said = f"the connection broke ({exc})" if exc else "the other side closed the connection"
        self._ended = self._ended or httpcore.ReadError(said)
        self._open_streams.discard(self)
        self._wake()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    # What httpcore asks -------------------------------------------------------------------------

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Empty: hand over what is collected, in one step. Raises `WriteError`, `WriteTimeout`."""
        self._check()
        if buffer and len(self._gathered) + len(buffer) <= _AT_ONCE:
            self._gathered += buffer
            return
        going, self._gathered = self._gathered, buffer
        self._last_given, self._body_left, self._head_left = b"", None, LONGEST_HEAD
        self._transport.write(going)
        if not buffer:
            return
        await asyncio.sleep(0)  # so that what came in meanwhile is received
        if not await self._until(lambda: not self._write_paused or self._stop(), timeout):
            raise httpcore.WriteTimeout("the other side stopped reading")
        self._check()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What was received, up to the next blank line or the end of the body; empty at the end.

        Raises `ReadTimeout`, or `ReadError` where nothing of an answer came.
        """
        if not await self._until(lambda: bool(self._heard or self._ended), timeout):
            raise httpcore.ReadTimeout("no answer")
        if self._heard:
            return self._give(max_bytes)
        if self._ended and not self._last_given:
            raise self._ended
        return b""

    def expect(self, length: int | None) -> None:
        """The head of an answer is read, and its body has `length` octets, if that is known."""
        self._body_left, self._head_left = length, -1

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "NetworkStream":
        """The stream inside. Raises `HostUnreachable`, and closes this one then."""
        inner = NetworkStream(self._open_streams)
        name = server_hostname or ""
        try:
            if self._ended is not None or self._heard:
                raise ConnectionResetError("the other side spoke first, or closed the connection")
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, inner, ssl_context, server_hostname=name
            )
            if transport is None or transport.is_closing() or inner._ended is not None:
                raise ConnectionResetError("the other side closed the connection")
        except ssl.SSLCertVerificationError as error:
            what = f"the certificate of {name} is not trusted: {error.verify_message}"
            raise self._unreachable(what, "4.7.5") from error
        except ssl.SSLError as error:
            what = f"no TLS session with {name}: {error.reason or error}"
            raise self._unreachable(what, "4.7.5") from error
        except OSError as error:
            raise self._unreachable(
                f"no TLS session with {name}: {_why(error)}", "4.4.1"
            ) from error
        except BaseException:
            self.abort()
            raise
        self._open_streams.discard(self)
        inner._attach(transport)
        return inner

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Close at once; may be called twice."""
        self._ended = self._ended or httpcore.ReadError("we closed the connection")
        self._open_streams.discard(self)
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is how httpcore asks whether an idle connection is still fit for use."""
        if info == "is_readable":
            return bool(self._heard) or self._ended is not None or self._transport.is_closing()
        return self._transport.get_extra_info(info)

    # Receiving and waiting -----------------------------------------------------------------------

    def _check(self) -> None:
        if self._stop():
            self._gathered = b""
            raise httpcore.WriteError(str(self._ended or "the other side answered already"))

    def _stop(self) -> bool:
        """Whether nothing more should be written."""
        gone = self._ended is not None or self._transport.is_closing()
        return gone or len(self._heard) > LONGEST_HEAD or self._is_refused()

    def _is_refused(self) -> bool:
        return bool(self._heard and refuses(bytes(self._heard)))

    def _give(self, most: int) -> bytes:
        if self._body_left is not None:
            count = min(most, max(self._body_left, 1))
            self._body_left -= count
        else:
            seen = self._last_given + self._heard[:most]
            at = seen.find(_BLANK_LINE)
            count = at + len(_BLANK_LINE) - len(self._last_given) if at >= 0 else most
            self._count_head(min(count, len(self._heard)))
        given = bytes(self._heard[:count])
        del self._heard[:count]
        self._last_given = (self._last_given + given)[-3:]
        if len(self._heard) <= _ENOUGH and not self._transport.is_closing():
            self._transport.resume_reading()
        return given

    def _count_head(self, given: int) -> None:
        """Raises `ReadError` if the head of an answer is too long."""
        if self._head_left < 0:
            return
        self._head_left -= given
        if self._head_left < 0:
            self._ended = httpcore.ReadError(
                f"the answer did not begin within {LONGEST_HEAD // 1024} kB of header"
            )
            self.abort()
            raise self._ended

    def _unreachable(self, reason: str, status: str) -> HostUnreachable:
        self.abort()
        return HostUnreachable(reason, status)

    async def _until(self, ready: Callable[[], bool], limit: float | None) -> bool:
        """Whether it was `ready` within `limit` seconds."""
        if ready():
            return True
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                while not ready():
                    self._changed = loop.create_future()
                    await self._changed
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Network(httpcore.AsyncNetworkBackend):
    """Makes the connections of one lane, and keeps track of those that are open."""

    def __init__(self, *, through_proxy: bool) -> None:
        self._what = "the proxy " if through_proxy else ""
        self._open: set[NetworkStream] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """Raises `HostUnreachable`. The time limit and all other options are the caller's."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            ways = [partial(self._dial, family, str(at[0]), port) for family, _, _, _, at in found]
            return await first(ways, _HEAD_START)
        except OSError as error:
            what = f"{self._what}{host} could not be reached: {_why(error)}"
            raise HostUnreachable(what, "4.4.1") from error
        except (UnicodeError, OverflowError) as error:  # by getaddrinfo, of the name and the port
            what = f"{self._what}{host}:{port} is not an address that can be connected to"
            raise HostUnreachable(what, "4.4.1") from error

    async def _dial(self, family: int, address: str, port: int) -> NetworkStream:
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: NetworkStream(self._open), address, port, family=family
        )
        return stream

    def close(self) -> None:
        """Close every connection at once."""
        for stream in list(self._open):
            stream.abort()


async def first(
    ways: Sequence[Callable[[], Coroutine[Any, Any, NetworkStream]]], head_start: float
) -> NetworkStream:
    """The first connection that is made; each attempt has a head start of some seconds before the
    next one, so that a broken IPv6 route costs no more than that (RFC 8305 section 5). asyncio
    implements this, other event loops do not.

    Raises the `OSError` of the first attempt if all fail.
    """
    running: set[asyncio.Task[NetworkStream]] = set()
    streams: list[NetworkStream] = []
    errors: list[BaseException] = []
    left = list(ways)
    try:
        while not streams and (left or running):
            patience = head_start if left[1:] else None
            if left:
                running.add(asyncio.ensure_future(left.pop(0)()))
            done, running = await asyncio.wait(
                running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            _sort(done, streams, errors)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        _sort(running, streams, errors)
        for stream in streams[1:]:
            stream.abort()
    if not streams:
        raise errors[0] if errors else OSError("it has no address")
    return streams[0]


def _sort(
    done: Iterable[asyncio.Task[NetworkStream]],
    streams: list[NetworkStream],
    errors: list[BaseException],
) -> None:
    for task in done:
        if task.cancelled():
            continue
        if error := task.exception():
            errors.append(error)
        else:
            streams.append(task.result())


def refuses(heard: bytes) -> bool:
    """Whether octets that come in while we still write are a reason to stop.

    An informational answer or a 2xx is not; anything else is, even if it is not HTTP.
    """
    answer = heard[_matched(heard) :]
    return len(answer) >= _STATUS_LINE and not _GO_ON.match(answer)


def _matched(heard: bytes) -> int:
    found = _INFORMATIONAL.match(heard)
    return found.end() if found else 0


def _why(error: OSError) -> str:
    return error.strerror or str(error)
