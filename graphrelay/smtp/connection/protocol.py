"""The bridge from asyncio's transports to our `Wire`, as a subclass of aiosmtpd's protocol.

What is always true here: no octet is handled in this file, only handed on, and a connection that
is lost cancels nothing: whoever reads from the wire finds out there, after what had come in has
been read.

aiosmtpd's constructor, reader and timers are left out on purpose. They look up this machine's name,
list all attributes twice, hold a message as a list of lines, and cancel a message's acceptance
when its sender hangs up.
"""

import asyncio
import logging
from typing import Final

from aiosmtpd.smtp import SMTP

from graphrelay.smtp.connection.buffer import Wire

# The journal tells what is worth telling; aiosmtpd's own log would go to standard error beside it.
logging.getLogger("mail.log").addHandler(logging.NullHandler())

_SCRATCH: Final = memoryview(bytearray(65_536))
"""Where the event loop reads into, for one connection after the other: what came is copied out
before the loop turns to the next one. So no read allocates, and none takes the loop long."""


class Connection(SMTP, asyncio.BufferedProtocol):
    """One client's connection."""

    wire: Wire

    def __init__(self) -> None:
        # Not SMTP.__init__: see above.
        self._is_tls = False

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH

    def buffer_updated(self, nbytes: int) -> None:
        self.wire.came(bytes(_SCRATCH[:nbytes]))

    def data_received(self, data: bytes) -> None:
        self.wire.came(data)

    def eof_received(self) -> bool:
        """Stay open for our replies to what came before, where the transport can."""
        self.wire.ended()
        return not self._is_tls

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.lost()

    def pause_writing(self) -> None:
        self.wire.writable(False)

    def resume_writing(self) -> None:
        self.wire.writable(True)
