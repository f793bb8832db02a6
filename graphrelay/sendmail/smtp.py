"""An SMTP client (RFC 5321), as far as needed for a relay on this machine.

All or nothing: if one recipient is refused permanently, the message is sent to nobody. `Later`
stands for any temporary failure (no relay, a broken connection, 4yz), since then the drop folder is
used. If the reply to the final dot is lost, the relay may have the message; this is `Later` too, so
in this one case the message may arrive twice (RFC 1047).
"""

import os
import re
import socket

from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING_PATIENCE = 30.0
"""Seconds for a connection and the greeting: a healthy relay takes milliseconds."""
PATIENCE = 300.0
"""Seconds for every other reply (RFC 5321 section 4.5.3.2)."""
_AT_ONCE = 100
"""Commands sent ahead of their replies."""
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)")
_TOO_MANY = frozenset({452, 552})
"""Reply to RCPT: send the others in another transaction (RFC 5321 section 4.5.3.1.10)."""


class Reply:
    """A reply of the relay."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: list[str]) -> None:
        self.code = code
        self.lines = lines

    @property
    def kind(self) -> int:
        """2 success, 3 continue, 4 temporary failure, 5 permanent failure."""
        return self.code // 100

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or empty."""
        found = _STATUS.match(self.lines[0])
        return found[0] if found else ""

    def __str__(self) -> str:
        rest = (line.removeprefix(self.status).strip() for line in self.lines[1:])
        return " ".join([str(self.code), self.lines[0], *rest])


class Sent:
    """It was sent to every recipient."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class Refused:
    """Refused permanently. The message was sent to `sent` recipients in an earlier transaction."""

    def __init__(self, reply: Reply, whom: str, sent: int) -> None:
        self.reply = reply
        self.whom = whom
        """The recipient, or empty if the message was refused."""
        self.sent = sent

    def __str__(self) -> str:
        whom = f"<{self.whom}>: " if self.whom else ""
        sent = f" ({self.sent} other recipients have received it)" if self.sent else ""
        return f"{whom}{self.reply}{sent}"


class Later:
    """A temporary failure; `recipients` are those to whom it was not sent."""

    def __init__(self, reason: str, recipients: list[str]) -> None:
        self.reason = reason
        self.recipients = recipients


Outcome = Sent | Refused | Later


class _NotNow(Exception):  # noqa: N818 (a condition)
    """The conversation cannot continue."""


class _No(Exception):  # noqa: N818 (an answer)
    def __init__(self, reply: Reply, whom: str = "") -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.whom = whom


def submit(target: str, envelope: Envelope, message: Message) -> Outcome:
    """Send the message to the relay at `target`: `unix:/path`, `/path` or `host:port`."""
    left = list(envelope.recipients)
    try:
        with _connected(target) as connection:
            client = _Client(connection)
            client.greet()
            while True:
                reply = client.transaction(envelope, left, message)
                if not left:
                    client.quit()
                    return Sent(reply)
    except _No as no:
        return Refused(no.reply, no.whom, len(envelope.recipients) - len(left))
    except (_NotNow, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
        return Later(f"the relay at {target} does not take it now: {said}", left)


def exit_status(reply: Reply, whom: str) -> int:
    """The exit status of sysexits.h for a refusal."""
    status = reply.status
    if whom or status.startswith("5.1."):
        return os.EX_NOPERM if status.startswith("5.7.") else os.EX_NOUSER
    if status.startswith("5.7.") or reply.code in (530, 535):
        return os.EX_NOPERM
    if status.startswith("5.6."):
        return os.EX_DATAERR
    return os.EX_PROTOCOL if status.startswith("5.5.") else os.EX_UNAVAILABLE


def _connected(target: str) -> socket.socket:
    path = target.removeprefix("unix:")
    if path.startswith("/"):
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(GREETING_PATIENCE)
        try:
            opened.connect(path)
        except BaseException:
            opened.close()
            raise
        return opened
    host, _, port = target.rpartition(":")
    if not port.isdigit():
        raise OSError(None, "not an address of a relay; write unix:/path or host:port")
    return socket.create_connection((host.strip("[]"), int(port)), GREETING_PATIENCE)


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self._extensions: frozenset[str] = frozenset()

    def greet(self) -> None:
        self._expect(2)
        self._connection.settimeout(PATIENCE)
        name = os.uname().nodename or "localhost"
        reply = self._ask(f"EHLO {name}")
        words = (line.split(" ", 1)[0].upper() for line in reply.lines[1:])
        self._extensions = frozenset(words)

    def transaction(self, envelope: Envelope, left: list[str], message: Message) -> Reply:
        """Send to as many of the remaining recipients as are accepted at once, and remove these."""
        self._ask(envelope.mail(self._extensions, eight_bit=message.eight_bit))
        postponed = self._postponed(envelope, left)
        self._ask("DATA", 3)
        for piece in stuffed(message.pieces()):
            self._connection.sendall(piece)
        reply = self._expect(2)
        left[:] = postponed
        return reply

    def quit(self) -> None:
        """Sent for politeness: the relay has the message, whatever happens now."""
        try:
            self._connection.sendall(b"QUIT\r\n")
        except OSError:
            return

    def _postponed(self, envelope: Envelope, left: list[str]) -> list[str]:
        """Those of `left` who exceed the limit of one transaction; all others were accepted."""
        at_once = _AT_ONCE if "PIPELINING" in self._extensions else 1
        postponed: list[str] = []
        for start in range(0, len(left), at_once):
            batch = left[start : start + at_once]
            commands = [envelope.rcpt(recipient, self._extensions) for recipient in batch]
            self._connection.sendall("".join(f"{one}\r\n" for one in commands).encode())
            replies = [self._reply() for _ in batch]
            for recipient, reply in zip(batch, replies, strict=True):
                if reply.code in _TOO_MANY and recipient is not left[0]:
                    postponed.append(recipient)
                else:
                    _settle(reply, 2, recipient)
        return postponed

    def _ask(self, command: str, kind: int = 2) -> Reply:
        self._connection.sendall(f"{command}\r\n".encode())
        return self._expect(kind)

    def _expect(self, kind: int) -> Reply:
        return _settle(self._reply(), kind)

    def _reply(self) -> Reply:
        lines: list[str] = []
        while True:
            line = self._line()
            if not line[:3].isdigit():
                raise _NotNow(f"it does not speak SMTP: {line[:80]!r}")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), lines)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            came = self._connection.recv(4096)
            if not came:
                raise _NotNow("it hung up")
            self._buffer += came
            if len(self._buffer) > 65536:
                raise _NotNow("it does not speak SMTP")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")


def _settle(reply: Reply, kind: int, whom: str = "") -> Reply:
    if reply.kind == kind:
        return reply
    if reply.kind == 5:
        raise _No(reply, whom)
    raise _NotNow(f"{f'<{whom}>: ' if whom else ''}{reply}")


def stuffed(pieces: "Iterator[bytes]") -> "Iterator[bytes]":
    """The message in the form of DATA (RFC 5321 section 4.5.2): lines end in CR LF, dots at their
    start are doubled, and the final dot follows."""
    held, at_line_start = b"", True
    for piece in pieces:
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r") if held else text
        if not text:
            continue
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
        yield b"." + text if at_line_start and text.startswith(b".") else text
        at_line_start = text.endswith(b"\r\n")
    yield held + (b".\r\n" if at_line_start and not held else b"\r\n.\r\n")
