"""The buffer itself, for cases that no real connection produces at the right moment."""

import asyncio
from datetime import timedelta

import pytest

from graphrelay.smtp.connection.buffer import ConnectionBuffer, Patience, Waited, overdue


class Gone(asyncio.Transport):
    """A client that has disconnected, which the event loop has not noticed yet."""

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
    """A conversation ends this way, and its exceptions would be lost."""
    gone = Gone()
    buffer = ConnectionBuffer(
        gone, lambda: 0.0, Patience("a command", timedelta(minutes=5), timedelta(minutes=5))
    )
    buffer.close(linger=True)
    assert gone.aborted


@pytest.mark.parametrize(
    ("waited", "words"),
    [
        (Waited(timedelta(seconds=300), timedelta(seconds=600), 0), None),
        (Waited(timedelta(seconds=301), timedelta(seconds=301), 0), "Nothing heard for 300 s"),
        (Waited(timedelta(seconds=1), timedelta(seconds=601), 0), "Too slow: a command"),
    ],
)
def test_a_client_is_overdue_by_one_of_two_limits(waited: Waited, words: str | None) -> None:
    patience = Patience("a command", timedelta(minutes=5), timedelta(minutes=10))
    reply = overdue(patience, waited)
    assert (reply is None) == (words is None)
    assert reply is None or (reply.code == 421 and reply.text.startswith(words or ""))
