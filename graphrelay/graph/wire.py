"""The octets under httpx: one TCP or TLS connection, as a network stream of httpcore.

httpcore takes a network backend from outside (https://www.encode.io/httpcore/network-backends/).
This one keeps what its own loses, and what promises of ours rest on:

    an early answer   what comes in is heard while we still write. A refusal (413, 401, 429) ends
                      the writing with `WriteError`, after which httpcore reads the answer; what
                      was heard before the connection broke can still be read
    one last step     small writes are gathered. An empty write, which ends every request, hands
                      over what is gathered whole, or raises and hands over nothing of it
    no stray octets   of what came in, httpcore is given no more than its answer: what is left
                      over makes the connection unfit for another request
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

import httpcore

_AT_ONCE = 96 * 1024
"""What is gathered before it is handed to the network: a small request goes out in one write."""
_ENOUGH = 256 * 1024
"""Unread octets above which the other side is kept waiting."""
_NOT_SENT_LIMIT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Keeps the kernel from taking a whole message into its buffer long before it is on the wire."""
_HAPPY_EYEBALLS = 0.25  # RFC 8305 section 8

_BLANK_LINE = b"\r\n\r\n"
_INFORMATIONAL = re.compile(rb"(?:HTTP/1\.\d 1\d\d.*?\r\n\r\n)*", re.DOTALL)
_GO_ON = re.compile(rb"HTTP/1\.\d [12]")
_STATUS_LINE = len(b"HTTP/1.1 200")


class Unreachable(Exception):  # noqa: N818 (a condition of the way, told in the log)
    """No connection came about; the text and the enhanced status code say why."""

    def __init__(self, reason: str, status: str) -> None:
        super().__init__(reason)
        self.status = status


class Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. It hears all the time, whoever reads."""

    def __init__(self, open_wires: "set[Wire]") -> None:
        self._open_wires = open_wires
        self._transport: asyncio.Transport
        self._changed: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self._write_paused = False
        self._gathered = b""
        self._heard = bytearray()
        self._last_given = b""
        self._body_left: int | None = None

    # What the transport says --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open_wires.add(self)
        wire = self._transport.get_extra_info("socket")
        if _NOT_SENT_LIMIT is not None and wire is not None:
            wire.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LIMIT, _AT_ONCE)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) > _ENOUGH:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        said = f"the connection broke ({exc})" if exc else "the other side closed the connection"
        self._ended = self._ended or httpcore.ReadError(said)
        self._open_wires.discard(self)
        self._wake()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    # What httpcore asks -------------------------------------------------------------------------

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Empty: hand over what is gathered, in one step. Raises `WriteError`, `WriteTimeout`."""
        self._check()
        if buffer and len(self._gathered) + len(buffer) <= _AT_ONCE:
            self._gathered += buffer
            return
        going, self._gathered = self._gathered, buffer
        self._last_given, self._body_left = b"", None
        self._transport.write(going)
        if not buffer:
            return
        await asyncio.sleep(0)  # so that what came in meanwhile is heard
        if not await self._until(lambda: not self._write_paused or self._stop(), timeout):
            raise httpcore.WriteTimeout("the other side stopped reading")
        self._check()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What was heard, up to the next blank line or the end of the body; empty at the end.

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
        self._body_left = length

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "Wire":
        """The wire inside. Raises `Unreachable`, and closes this one then."""
        inner = Wire(self._open_wires)
        name = server_hostname or ""
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, inner, ssl_context, server_hostname=name
            )
            if transport is None:
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
        self._open_wires.discard(self)
        inner.connection_made(transport)
        return inner

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Close at once; safe to call twice."""
        self._ended = self._ended or httpcore.ReadError("we closed the connection")
        self._open_wires.discard(self)
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is how httpcore asks whether an idle connection is still fit for use."""
        if info == "is_readable":
            return bool(self._heard) or self._ended is not None or self._transport.is_closing()
        return self._transport.get_extra_info(info)

    # Hearing and waiting ------------------------------------------------------------------------

    def _check(self) -> None:
        if self._stop():
            self._gathered = b""
            raise httpcore.WriteError(str(self._ended or "the other side answered already"))

    def _stop(self) -> bool:
        """Whether nothing more should be written."""
        gone = self._ended is not None or self._transport.is_closing()
        return gone or bool(self._heard and refuses(bytes(self._heard)))

    def _give(self, most: int) -> bytes:
        if self._body_left is not None:
            count = min(most, max(self._body_left, 1))
            self._body_left -= count
        else:
            seen = self._last_given + self._heard[:most]
            at = seen.find(_BLANK_LINE)
            count = at + len(_BLANK_LINE) - len(self._last_given) if at >= 0 else most
        given = bytes(self._heard[:count])
        del self._heard[:count]
        self._last_given = (self._last_given + given)[-3:]
        if len(self._heard) <= _ENOUGH and not self._transport.is_closing():
            self._transport.resume_reading()
        return given

    def _unreachable(self, reason: str, status: str) -> Unreachable:
        self.abort()
        return Unreachable(reason, status)

    async def _until(self, ready: Callable[[], bool], limit: float | None) -> bool:
        """Whether it came to be `ready` within `limit` seconds."""
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
    """Makes the connections of one lane, and knows those that are open."""

    def __init__(self, *, through_proxy: bool) -> None:
        self._what = "the proxy " if through_proxy else ""
        self._open: set[Wire] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Wire:
        """Raises `Unreachable`. The time limit and all else are the caller's affair."""
        try:
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: Wire(self._open), host, port, happy_eyeballs_delay=_HAPPY_EYEBALLS
            )
        except OSError as error:
            raise Unreachable(f"{host} could not be reached: {_why(error)}", "4.4.1") from error
        return wire

    def close(self) -> None:
        """Close every connection at once."""
        for wire in list(self._open):
            wire.abort()


def refuses(heard: bytes) -> bool:
    """Whether octets that come in while we still write are a reason to stop.

    Not an informational answer, nor a 2xx; anything else is, also what is no HTTP at all.
    """
    answer = heard[_matched(heard) :]
    return len(answer) >= _STATUS_LINE and not _GO_ON.match(answer)


def _matched(heard: bytes) -> int:
    found = _INFORMATIONAL.match(heard)
    return found.end() if found else 0


def _why(error: OSError) -> str:
    return error.strerror or str(error)
