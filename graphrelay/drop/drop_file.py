"""One file of the drop folder, as octets: an SMTP transaction that was written down.

    graphrelay drop 1
    MAIL FROM:<www-data@web1.contoso.com>
    RCPT TO:<anna@example.org>
    BDAT 000000000000004711 LAST
    (4,711 octets, and the end of the file)

Anybody may have written it. It is accepted only as a whole: every command is a known one, every
address one that SMTP would accept, and there are exactly as many octets as it says; so what was cut
short by a crash of its writer is never taken for a message.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphrelay.model import Envelope, Reply
from graphrelay.smtp.grammar.arguments import MailFrom, RcptTo, chunk_size, mail_from, rcpt_to

MAGIC: Final = b"graphrelay drop 1\r\n"
LONGEST_ENVELOPE: Final = 1 << 19
"""Octets before the message. graphrelay-sendmail writes fewer."""
MOST_RECIPIENTS: Final = 1_000
"""graphrelay-sendmail writes several files for more than 500."""
_LONGEST_COMMAND: Final = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class DropFile:
    """What the file asks for, and where in it the message stands."""

    envelope: Envelope
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class NotADropFile:
    """graphrelay-sendmail did not write it, or not to its end; the text says how that shows."""

    why: str


def read(beginning: bytes, file_size: int) -> DropFile | Reply | NotADropFile:
    """Read the first `LONGEST_ENVELOPE` octets of a file. A `Reply` is a refusal by SMTP."""
    if not beginning.startswith(MAGIC):
        return NotADropFile("it does not begin with the line that graphrelay-sendmail writes")
    sender = MailFrom(None, 0)
    recipients: dict[str, RcptTo] = {}
    at, stage = len(MAGIC), "MAIL"
    while True:
        end = beginning.find(b"\r\n", at, at + _LONGEST_COMMAND)
        if end < 0:
            return NotADropFile("its envelope has no end")
        verb, _, argument = _text(beginning[at:end]).partition(" ")
        at = end + 2
        match stage, verb:
            case "MAIL", "MAIL":
                command = mail_from(argument)
                if isinstance(command, Reply):
                    return command
                sender, stage = command, "RCPT"
            case "RCPT", "RCPT":
                recipient = rcpt_to(argument)
                if isinstance(recipient, Reply):
                    return recipient
                recipients.setdefault(recipient.path.key, recipient)
                if len(recipients) > MOST_RECIPIENTS:
                    return NotADropFile(f"it has more than {MOST_RECIPIENTS} recipients")
            case "RCPT", "BDAT" if recipients:
                return _counted(argument, _envelope(sender, recipients.values()), at, file_size)
            case _:
                return NotADropFile(f"{verb[:20]!r} is out of order in its envelope")


def _envelope(sender: MailFrom, recipients: Iterable[RcptTo]) -> Envelope:
    """With the reports that the sender asked for (RFC 3461), as by SMTP."""
    paths, wanted = zip(*((one.path, one.dsn) for one in recipients), strict=True)
    requests = tuple(one for one in wanted if one)
    return Envelope(sender.path, paths, sender.envelope_id, sender.ret, requests)


def _counted(
    argument: str, envelope: Envelope, start: int, file_size: int
) -> DropFile | NotADropFile:
    chunk = chunk_size(argument)
    if isinstance(chunk, Reply) or not chunk.last:
        return NotADropFile("it does not say how long its message is")
    if start + chunk.octets != file_size:
        there = file_size - start
        return NotADropFile(f"its message should have {chunk.octets} octets, and {there} are there")
    return DropFile(envelope, start, chunk.octets)


def _text(line: bytes) -> str:
    """The command, or nothing where SMTP would not accept such a line."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return ""
    return "" if _CONTROL.search(text) else text
