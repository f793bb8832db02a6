"""The buffer itself, where no real connection does what is needed at the right moment."""

import asyncio
from datetime import timedelta

from graphrelay.smtp.connection.buffer import ConnectionBuffer, Patience


class Gone(asyncio.Transport):
    """A client that has gone, of which the event loop has not heard."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        raise OSError("Transport endpoint is not connected")  # as asyncio's transport does

    def abort(self) -> None:
        self.aborted = True


def test_hanging_up_on_who_is_gone_raises_nothing() -> None:
    """A conversation ends so, and nobody would hear what it raises."""
    gone = Gone()
    buffer = ConnectionBuffer(
        gone, lambda: 0.0, Patience("a command", timedelta(minutes=5), timedelta(minutes=5))
    )
    buffer.close(linger=True)
    assert gone.aborted
