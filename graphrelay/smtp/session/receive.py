"""The octets of one message, from the buffer into the body that the reception keeps.

What is always true here: the client's data is read to its end whatever goes wrong with it, so that
nothing of it is ever taken for a command. What will not be kept is discarded at once, so that
neither memory nor disk grows with it.
"""

from collections.abc import Callable

from graphrelay.model import IncomingBody, Reply, StorageAway, StorageUnavailable
from graphrelay.smtp.connection.buffer import ConnectionBuffer
from graphrelay.smtp.grammar.data import BinaryLineEnds, DataReader, LineEnds
from graphrelay.smtp.grammar.replies import (
    INTERNAL_ERROR,
    STORAGE_AWAY,
    STORAGE_UNAVAILABLE,
    too_big,
)

Report = Callable[[Exception], None]
"""Writes trouble in the relay to the journal."""


def reply_to(error: Exception) -> Reply:
    """What a client is answered after an exception: never its text."""
    match error:
        case StorageAway():
            return STORAGE_AWAY
        case StorageUnavailable():
            return STORAGE_UNAVAILABLE
        case _:
            return INTERNAL_ERROR


async def receive(
    buffer: ConnectionBuffer, body: IncomingBody, limit: int, report: Report
) -> Reply | None:
    """Read DATA to its end. `None`: all of it is in `body`; else why not.

    Raises `ClientGone` and `Dismissed` before the end; `body` is then the caller's to discard.
    """
    reader = DataReader()
    refusal: Reply | None = None
    while True:
        piece = reader.feed(await buffer.piece())
        if refusal is None and piece.octets:
            refusal = await _keep(body, piece.octets, limit, report)
        if piece.done:
            buffer.unread(piece.rest)
            return refusal


class Chunks:
    """A message that comes in counted chunks (RFC 3030)."""

    def __init__(
        self,
        body: IncomingBody,
        limit: int,
        line_ends: LineEnds | BinaryLineEnds,
        report: Report,
    ) -> None:
        self.body = body
        self._limit = limit
        self._report = report
        self._line_ends = line_ends
        self._refusal: Reply | None = None

    async def receive(self, buffer: ConnectionBuffer, octets: int, *, last: bool) -> Reply | None:
        """Read one chunk to its end. `None`: all so far is in `body`; else why not, from then on.

        Raises `ClientGone` and `Dismissed`; `body` is then the caller's to discard.
        """
        while octets > 0:
            piece = await buffer.piece(octets)
            octets -= len(piece)
            await self._keep(self._line_ends.feed(piece))
        if last:
            await self._keep(self._line_ends.end())
        return self._refusal

    async def _keep(self, octets: bytes) -> None:
        if self._refusal is None and octets:
            self._refusal = await _keep(self.body, octets, self._limit, self._report)


async def drop(body: IncomingBody, report: Report) -> None:
    """Discard a body; trouble with that goes to the journal, not to the client."""
    try:
        await body.discard()
    except Exception as error:
        report(error)


async def _keep(body: IncomingBody, octets: bytes, limit: int, report: Report) -> Reply | None:
    try:
        if body.size + len(octets) <= limit:
            await body.write(octets)
            return None
        refusal = too_big(limit)
    except Exception as error:
        report(error)
        refusal = reply_to(error)
    await drop(body, report)
    return refusal
