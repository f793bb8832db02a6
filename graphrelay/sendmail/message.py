"""The message: read to its end before it is sent, and then read again as often as needed.

So a caller that aborts has sent nothing, a slow one occupies no connection, and nothing is lost if
the relay stops in the middle. Up to a megabyte is kept in memory, the rest in a temporary file
without a name.
"""

import os
import re

IN_MEMORY = 1 << 20
PIECE = 1 << 16
_BEFORE_FIELDS = re.compile(rb"(?:\xef\xbb\xbf)?+(?:>*+From [^\n]*+\n)*+")
_DOT_LINE = re.compile(rb"(?:\A|(?<=\n))\.\r?\n")
_DOT_BEGUN = re.compile(rb"(?:\A|(?<=\n))\.\r?\Z")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


class Message:
    """Its octets, as received."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._start = 0
        self._size = 0
        self.eight_bit = False

    @property
    def size(self) -> int:
        return self._size - self._start

    def add(self, octets: bytes) -> None:
        self._size += len(octets)
        self.eight_bit |= not octets.isascii()
        room = IN_MEMORY - len(self._memory)
        self._memory += octets[:room]
        if len(octets) > room:
            self._beyond().write(octets[room:])

    def complete(self) -> None:
        """The end was reached. A byte order mark, and the line that mbox files put before a message
        (`From root Mon …`), are removed."""
        found = _BEFORE_FIELDS.match(self._memory)
        self._start = found.end() if found else 0

    def put_before(self, line: bytes) -> None:
        """Add a header line."""
        self._memory[: self._start] = line
        self._size += len(line) - self._start
        self._start = 0

    @property
    def head(self) -> bytes:
        """The beginning, with the whole header section if it has a reasonable size."""
        return bytes(memoryview(self._memory)[self._start :])

    def pieces(self) -> "Iterator[bytes]":
        """All of it, from the start."""
        for at in range(self._start, len(self._memory), PIECE):
            yield bytes(memoryview(self._memory)[at : at + PIECE])
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(PIECE):
                yield piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _beyond(self) -> "IO[bytes]":
        if self._file is None:
            from tempfile import (
                TemporaryFile,
            )  # takes longer than everything else for a small message

            self._file = TemporaryFile(buffering=0)  # noqa: SIM115 (closed with the message)
        return self._file


class DotEnd:
    """Finds the line with only a dot that ends a message (without `-i`)."""

    def __init__(self) -> None:
        self._held = b""
        self._last = b"\n"

    def feed(self, octets: bytes) -> tuple[bytes, bool]:
        """The text in these octets and earlier ones, and whether the end was among them."""
        context = self._last  # a dot at the very start counts as after a line end
        stream = context + self._held + octets
        found = _DOT_LINE.search(stream, 1)
        if found:
            return stream[1 : found.start()], True
        begun = _DOT_BEGUN.search(stream, max(1, len(stream) - 2))
        end = begun.start() if begun else len(stream)
        self._held = stream[end:]
        text = stream[1:end]
        self._last = text[-1:] or context
        return text, False

    def end(self) -> bytes:
        """The octets held back until the end of the input; a single dot there is an end as well."""
        return b"" if self._held.rstrip(b"\r") == b"." else self._held


def read(descriptor: int, *, dot_ends: bool) -> Message:
    """Read the message from standard input."""
    message, dots = Message(), DotEnd()
    while octets := os.read(descriptor, PIECE):
        if not dot_ends:
            message.add(octets)
            continue
        text, done = dots.feed(octets)
        message.add(text)
        if done:
            break
    else:
        message.add(dots.end())
    message.complete()
    return message
