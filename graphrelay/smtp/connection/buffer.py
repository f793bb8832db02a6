"""The octets of one connection: what came in and is not read yet, what we said and is not sent yet.

    transport ──▶ came / ended / lost ──▶ [ buffer ] ──▶ line, piece ──▶ the conversation
    transport ◀────────────────────────── [ replies ] ◀── say          ◀──┘

What is always true here: the buffer is bounded, because the transport stops reading when the relay
does not keep up. Replies go out in one write, at the latest when the relay waits for the client
(RFC 2920 section 3.2). Every wait can be ended from outside, by `dismiss`. Octets that have come in
are still read after the client is gone: a device may hang up right after the final dot.

Which client is too slow is decided by `overdue`, without I/O, from the time spent waiting for it.
The time that the relay itself needs (disk, password hashing) never counts.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

from graphrelay.model import Reply
from graphrelay.smtp.connection.transcript import Transcript

LONGEST_LINE: Final = 12_288
"""Octets of a command: what AUTH may need (RFC 4954 section 4), more than any other command."""
_READ_AHEAD: Final = 65_536
"""Octets that wait in the buffer before the transport is asked to stop reading."""
_LINES_AT_A_TIME: Final = 50
"""Pipelined commands read before other connections have a turn."""
_CLOSING_PATIENCE: Final = timedelta(seconds=5)
"""For a client to take our last reply and close its side."""


class ClientGone(Exception):  # noqa: N818 (clients may, so not an error)
    """Nothing more will come from the client."""


class Dismissed(Exception):  # noqa: N818 (the relay may, so not an error)
    """The conversation ends with this reply: a limit was reached, or the relay stops."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class LineTooLong(Exception):  # noqa: N818 (the client's fault)
    """A line of more than `LONGEST_LINE` octets came in, and was discarded."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the client may take in one stage of the conversation."""

    stage: str
    """For people: `a command`, `the message`."""
    idle: timedelta
    """From the last octet."""
    overall: timedelta
    """For the whole stage, …"""
    pace: int | None = None
    """… plus a second for this many octets that came in."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How long the relay has waited for the client."""

    now: timedelta
    """Since the last octet."""
    in_all: timedelta
    """In this stage."""
    received: int
    """Octets in this stage."""


def overdue(patience: Patience, waited: Waited) -> Reply | None:
    """The last reply for a client that takes too long."""
    if waited.now > patience.idle:
        seconds = round(patience.idle.total_seconds())
        return Reply(421, "4.4.2", f"Nothing heard for {seconds} s waiting for {patience.stage}")
    pace = timedelta(seconds=waited.received / patience.pace) if patience.pace else timedelta()
    if waited.in_all > patience.overall + pace:
        return Reply(421, "4.4.2", f"Too slow: {patience.stage} takes too long to come")
    return None


class ConnectionBuffer:
    """One connection's two directions. The protocol calls `came`, `ended`, `lost`, `writable`."""

    __slots__ = (
        "_at",
        "_buffer",
        "_choked",
        "_closing_since",
        "_dismissal",
        "_ended",
        "_lines",
        "_lost",
        "_patience",
        "_paused",
        "_received",
        "_replies",
        "_seconds",
        "_spared",
        "_transcript",
        "_transport",
        "_waited",
        "_waiter",
        "_waiting_since",
        "encrypted",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        seconds: Callable[[], float],
        patience: Patience,
    ) -> None:
        """`seconds` is a clock that never goes back."""
        self._transport = transport
        self._seconds = seconds
        self._buffer = b""
        self._at = 0
        self._replies: list[bytes] = []
        self._lines = 0
        self._waiter: asyncio.Future[None] | None = None
        self._waiting_since: float | None = None
        self._closing_since: float | None = None
        self._dismissal: Reply | None = None
        self._spared: Reply | None = None
        self._transcript: Transcript | None = None
        self._ended = False
        self._lost = False
        self._choked = False
        self._paused = False
        self.encrypted = False
        """Whether TLS has begun, if only with the handshake."""
        self.begin(patience)

    # Called by the protocol ----------------------------------------------------------------------

    def came(self, octets: bytes) -> None:
        """Octets from the client have come in."""
        if self._closing_since is not None:
            return
        if self._at == len(self._buffer):
            self._buffer = octets
        else:
            self._buffer = self._buffer[self._at :] + octets
        self._at = 0
        self._received += len(octets)
        if len(self._buffer) > _READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def ended(self) -> None:
        """The client will send nothing more, but may still read."""
        self._ended = True
        if self._closing_since is not None:
            self._transport.close()
        self._wake()

    def lost(self) -> None:
        """The connection is gone in both directions."""
        self._ended = self._lost = True
        self._wake()

    def writable(self, yes: bool) -> None:
        """Whether the client reads what we write."""
        self._choked = not yes
        self._wake()

    # Called by the conversation -------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """Whether octets are waiting to be read."""
        return self._at < len(self._buffer)

    @property
    def stage(self) -> str:
        """What the client is expected to send."""
        return self._patience.stage

    def write_down(self, transcript: Transcript) -> None:
        """Write down what is said from now on."""
        self._transcript = transcript

    def begin(self, patience: Patience) -> None:
        """Begin a stage of the conversation: the client's time starts again."""
        self._patience = patience
        self._waited = 0.0
        self._received = 0
        if self._spared is not None:
            self._dismissal, self._spared = self._spared, None

    async def first_octet(self) -> int:
        """The next octet, which stays in the buffer."""
        while not self.has_more:
            await self._more()
        return self._buffer[self._at]

    async def line(self, *, secret: bool = False) -> bytes:
        """The next line with its end. Raises `LineTooLong`, `ClientGone`, `Dismissed`."""
        self._lines += 1
        if self._lines % _LINES_AT_A_TIME == 0:
            await asyncio.sleep(0)
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            if len(self._buffer) - self._at > LONGEST_LINE:
                await self._skip_line()
                raise LineTooLong
            await self._more()
        line = self._buffer[self._at : end + 1]
        self._at = end + 1
        if len(line) > LONGEST_LINE:
            raise LineTooLong
        if self._transcript is not None:
            self._transcript.heard(line, secret=secret)
        return line

    async def piece(self, at_most: int | None = None) -> bytes:
        """What has come in, at least one octet. Raises `ClientGone`, `Dismissed`."""
        while not self.has_more:
            await self._more()
        end = len(self._buffer) if at_most is None else self._at + at_most
        piece = self._buffer[self._at : end]
        self._at += len(piece)
        if not self.has_more:
            self.forget_input()  # or a large piece would be kept in memory
        if self._transcript is not None:
            self._transcript.heard_data(len(piece))
        return piece

    async def skip(self, octets: int) -> None:
        """Discard that many octets as they come in. Raises `ClientGone`, `Dismissed`."""
        while octets > 0:
            octets -= len(await self.piece(octets))

    def unread(self, octets: bytes) -> None:
        """Give back the end of the last piece."""
        self._buffer = octets + self._buffer[self._at :]
        self._at = 0

    def forget_input(self) -> None:
        """Discard what came in and was not read."""
        self._buffer, self._at = b"", 0

    def say(self, octets: bytes) -> None:
        """Add a reply, which is sent by `flush` or when the relay next waits for the client."""
        self._replies.append(octets)
        if self._transcript is not None:
            self._transcript.said(octets)

    async def flush(self) -> None:
        """Send the replies, and wait while the client does not read them. Raises `ClientGone`."""
        self._send()
        while self._choked and not self._lost:
            if self._dismissal is not None:
                self._transport.abort()
                raise ClientGone
            await self._wait()

    async def start_tls(self, context: ssl.SSLContext, timeout: timedelta) -> str:
        """Go on in TLS and return its version; the replies so far go out in clear text.

        What is in the buffer is taken as the beginning of the handshake. Raises `OSError`
        (`ssl.SSLError` among them) when that fails.
        """
        self._send()
        self.encrypted = True
        begun = self._buffer[self._at :]
        self.forget_input()
        upgrade = asyncio.get_running_loop().start_tls(
            self._transport,
            self._transport.get_protocol(),
            context,
            server_side=True,
            ssl_handshake_timeout=timeout.total_seconds(),
        )
        if begun:
            upgraded = await self._start_tls_with(begun, upgrade)
        else:
            upgraded = await upgrade  # in one go: no octet can come in between
        secured = upgraded.get_extra_info("ssl_object") if upgraded is not None else None
        if upgraded is None or secured is None:  # the connection was lost meanwhile
            raise ConnectionResetError("connection lost during the TLS handshake")
        self._transport = upgraded
        return str(secured.version())

    def close(self, *, linger: bool = False) -> None:
        """Send what is left and hang up.

        `linger` is for a client that may still be sending: a socket that is closed with unread
        octets is reset, and a reset discards the last reply before the client has read it. So they
        are read and discarded until the client closes its side or its time is over.
        """
        self._send()
        self._closing_since = self._seconds()
        if not linger or self._ended or not self._transport.can_write_eof():
            self._transport.close()
            return
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:  # the client is gone, and the event loop does not know yet
            self._transport.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    # Called by the server -------------------------------------------------------------------------

    def dismiss(self, reply: Reply, *, spare: str = "") -> None:
        """End the conversation at its next wait; in the stage `spare`, at the end of the stage."""
        if spare and self._patience.stage == spare:
            self._spared = reply
            return
        self._dismissal = reply
        self._wake()

    def check_patience(self) -> None:
        """Dismiss a client that is too slow, and drop one that does not close its side."""
        if self._closing_since is not None:
            closing = timedelta(seconds=self._seconds() - self._closing_since)
            if not self._lost and closing > _CLOSING_PATIENCE:
                self._transport.abort()
        elif self._waiting_since is not None and self._dismissal is None:
            this = self._seconds() - self._waiting_since
            in_all = timedelta(seconds=self._waited + this)
            waited = Waited(timedelta(seconds=this), in_all, self._received)
            reply = overdue(self._patience, waited)
            if reply is not None:
                self.dismiss(reply)

    # ---------------------------------------------------------------------------------------------

    async def _more(self) -> None:
        self._send()
        if self._choked:
            await self.flush()
        if self._dismissal is not None:
            raise Dismissed(self._dismissal)
        if self._ended:
            raise ClientGone
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        await self._wait()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._waiting_since = since = self._seconds()
        try:
            await self._waiter
        finally:
            self._waiter = self._waiting_since = None
            self._waited += self._seconds() - since

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _start_tls_with(
        self, begun: bytes, upgrade: Coroutine[object, object, asyncio.Transport | None]
    ) -> asyncio.Transport | None:
        """On an implicit TLS port, uvloop may deliver the ClientHello before TLS could begin."""
        upgrading = asyncio.ensure_future(upgrade)
        await asyncio.sleep(0)  # by then the TLS layer is in place, and about to begin
        layer = cast(asyncio.BufferedProtocol, self._transport.get_protocol())
        asyncio.get_running_loop().call_soon(_feed, layer, begun)
        return await upgrading

    async def _skip_line(self) -> None:
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            self._buffer, self._at = b"", 0
            await self._more()
        self._at = end + 1

    def _send(self) -> None:
        if self._replies:
            if not self._lost:
                self._transport.write(b"".join(self._replies))
            self._replies.clear()


def _feed(protocol: asyncio.BufferedProtocol, octets: bytes) -> None:
    while octets:
        room = memoryview(protocol.get_buffer(len(octets)))
        taken = octets[: len(room)]
        room[: len(taken)] = taken
        protocol.buffer_updated(len(taken))
        octets = octets[len(taken) :]
