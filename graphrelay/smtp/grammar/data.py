"""The octets of DATA, as they come in, become the octets of the message.

What is always true here: the end of the data is CR LF . CR LF, these five octets and nothing else
(RFC 5321 section 4.1.1.4), and the result does not depend on where the network cut the stream.

    "Hello\\nworld\\r\\n", "..\\r\\n.\\r", "\\nQUIT\\r\\n"
        ──▶  "Hello\\r\\nworld\\r\\n.\\r\\n", done, and the rest: "QUIT\\r\\n"

Servers that disagree about the end of the data let one message smuggle in another one ("SMTP
smuggling", 2023): LF . LF, CR . CR, LF . CR LF and the like are always text here.

A lone LF, a lone CR and the CR CR LF of programs that convert line ends twice all become CR LF,
since Exchange damages messages with other line ends. A leading dot is removed only after a true CR
LF (section 4.5.2): a sender that writes a bare LF does not stuff the dot after it.

Everything works on pieces as large as they come, with searches that run in C: a loop over lines
is what makes a Python server slow here.
"""

import re
from dataclasses import dataclass

_DOTTED = re.compile(rb"\r\n\.")
_END = b"\r\n.\r\n"
_LONE_CR = re.compile(rb"\r(?!\n)")
_OPEN = re.compile(rb"(?:\r{1,2}\n(?:\.\r?)?|\r{1,2})\Z")
"""The end of a piece whose meaning depends on the next octet: at most five octets."""
_OPEN_CR = re.compile(rb"\r{1,2}\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one piece of the stream became."""

    octets: bytes
    done: bool
    """The end of the data was in this piece."""
    rest: bytes
    """What came after the end: the client's next commands."""


class DataReader:
    """Removes the dots, converts line ends and finds the end, wherever the octets are split."""

    def __init__(self) -> None:
        # The CR LF of the DATA command counts: `.` CR LF at once is an empty message.
        self._held = b"\r\n"
        self._first = True

    def feed(self, octets: bytes) -> Piece:
        """The next piece of the stream; not to be called again after `done`."""
        stream = self._held + octets
        dotted = _DOTTED.search(stream)
        if dotted and (end := stream.find(_END, dotted.start())) >= 0:
            stuffed = dotted.start() < end
            return Piece(self._text(stream[: end + 2], stuffed), True, stream[end + 5 :])
        still_open = _OPEN.search(stream, max(0, len(stream) - 5))
        self._held = still_open.group() if still_open else b""
        text = stream[: len(stream) - len(self._held)]
        return Piece(self._text(text, dotted is not None), False, b"")

    def _text(self, stream: bytes, stuffed: bool) -> bytes:
        if not stream:
            return b""
        text = with_line_ends(stream.replace(b"\r\n.", b"\r\n") if stuffed else stream)
        if self._first:
            self._first = False
            return text[2:]
        return text


class LineEnds:
    """Converts line ends alone, for octets that come counted and unstuffed (BDAT)."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> bytes:
        """The next octets; a CR at their end waits for what follows it."""
        stream = self._held + octets
        still_open = _OPEN_CR.search(stream, max(0, len(stream) - 2))
        self._held = still_open.group() if still_open else b""
        return with_line_ends(stream[: len(stream) - len(self._held)])

    def end(self) -> bytes:
        """What waited."""
        held, self._held = self._held, b""
        return with_line_ends(held)


_LINE_END = rb"(?:\r{0,2}\n|\r(?=[^\r\n]|\r[^\n]))"
_EMPTY_LINE = re.compile(rb"(?:\A|" + _LINE_END + rb")" + _LINE_END)
_LONGEST_HEADER = 1 << 18


class BinaryLineEnds:
    """Converts the line ends of the header section, and nothing after it (BINARYMIME).

    A header section is read as lines, whatever the body is: a lone LF in a field could begin
    another field for the next reader.
    """

    def __init__(self) -> None:
        self._header: bytearray | None = bytearray()

    def feed(self, octets: bytes) -> bytes:
        """The next octets; nothing comes out until the header section is whole."""
        if self._header is None:
            return octets
        seen = max(0, len(self._header) - 8)
        self._header += octets
        found = _EMPTY_LINE.search(self._header, seen)
        if found is None and len(self._header) <= _LONGEST_HEADER:
            return b""
        end = found.end() if found else len(self._header)
        head, rest = bytes(self._header[:end]), bytes(self._header[end:])
        self._header = None
        return with_line_ends(head) + rest

    def end(self) -> bytes:
        """What waited: a message without a body."""
        held, self._header = bytes(self._header or b""), None
        return with_line_ends(held)


def with_line_ends(text: bytes) -> bytes:
    """Every line end as CR LF: `CR CR LF`, `CR LF`, `LF` and `CR` each are one."""
    returns = text.count(b"\r")
    if returns == text.count(b"\n") and not _LONE_CR.search(text):
        return text
    bare = text.replace(b"\r\r\n", b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return bare.replace(b"\n", b"\r\n")
