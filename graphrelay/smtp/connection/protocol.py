"""From asyncio's transports to a `ConnectionBuffer`, as a subclass of aiosmtpd's protocol.

What is always true here: no octet is handled in this file, only handed on. A connection that is
lost cancels nothing: whoever reads from the buffer finds out there, after what had come in has been
read.

Of aiosmtpd's protocol nothing runs. Its constructor, reader and timers look up this machine's name,
list all attributes twice, hold a message as a list of lines, and cancel a message's acceptance when
its sender hangs up; its commands are never called, since the table of commands is the
conversation's own (`session.conversation`). Of aiosmtpd the reader of the PROXY header is in use
(`proxy`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol, cast

from aiosmtpd.smtp import SMTP

from graphrelay.smtp.connection.buffer import ConnectionBuffer

# The journal has what is worth knowing; aiosmtpd's own log would go to standard error besides.
logging.getLogger("mail.log").addHandler(logging.NullHandler())

_SCRATCH: Final = memoryview(bytearray(65_536))
"""Where the event loop reads into, for one connection after the other: what came is copied out
before the loop turns to the next one. So no read allocates, and none takes the loop long."""


class Owner(Protocol):
    """Whose connection it is: a conversation."""

    @property
    def buffer(self) -> ConnectionBuffer: ...

    def lost(self, error: Exception | None) -> None:
        """The connection is closed in both directions, by an error or without one."""
        ...


class Connection(SMTP, asyncio.BufferedProtocol):
    """One client's connection."""

    def __init__(self, begin: Callable[[asyncio.Transport], Owner]) -> None:
        """`begin` is called once, as soon as the connection is made."""
        # Not SMTP.__init__: see above.
        self._begin = begin
        self._owner: Owner | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = cast(asyncio.Transport, transport)
        try:
            self._owner = self._begin(connected)
        except Exception:
            connected.abort()  # nobody else would
            raise
        self._buffer = self._owner.buffer

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer.came(bytes(_SCRATCH[:nbytes]))

    def data_received(self, data: bytes) -> None:
        self._buffer.came(data)

    def eof_received(self) -> bool:
        """Stay open for our replies to what came before, where the transport can."""
        self._buffer.ended()
        return not self._buffer.encrypted

    def connection_lost(self, error: Exception | None) -> None:
        if self._owner is not None:
            self._buffer.lost()
            self._owner.lost(error)

    def pause_writing(self) -> None:
        self._buffer.writable(False)

    def resume_writing(self) -> None:
        self._buffer.writable(True)
