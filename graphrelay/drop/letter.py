"""One file of the drop folder, as octets: an SMTP transaction that was written down.

    graphrelay drop 1
    MAIL FROM:<www-data@web1.contoso.com>
    RCPT TO:<anna@example.org>
    BDAT 000000000000004711 LAST
    (4,711 octets, and the end of the file)

Anybody may have written it. It is taken only as a whole: every command known, every address one
that SMTP would take, and exactly as many octets as it says; so what was cut short by a crash of its
writer is never taken for a message.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphrelay.model import Envelope, Reply
from graphrelay.smtp.grammar.arguments import MailFrom, RcptTo, chunk_size, mail_from, rcpt_to

MAGIC: Final = b"graphrelay drop 1\r\n"
LONGEST_ENVELOPE: Final = 1 << 19
"""Octets before the message; graphrelay-sendmail writes less, and so it does …"""
MOST_RECIPIENTS: Final = 1_000
"""… recipients: more get several files."""
_LONGEST_COMMAND: Final = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Letter:
    """What the file asks for, and where in it the message stands."""

    envelope: Envelope
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class NoLetter:
    """It is no file that graphrelay-sendmail wrote to its end; the text says how that shows."""

    why: str


def read(beginning: bytes, file_size: int) -> Letter | Reply | NoLetter:
    """Read the first `LONGEST_ENVELOPE` octets of a file; a `Reply` is what SMTP would say."""
    if not beginning.startswith(MAGIC):
        return NoLetter("it does not begin as such files do")
    sender = MailFrom(None, 0)
    recipients: dict[str, RcptTo] = {}
    at, stage = len(MAGIC), "MAIL"
    while True:
        end = beginning.find(b"\r\n", at, at + _LONGEST_COMMAND)
        if end < 0:
            return NoLetter("its envelope has no end")
        verb, _, argument = _text(beginning[at:end]).partition(" ")
        at = end + 2
        match stage, verb:
            case "MAIL", "MAIL":
                asked = mail_from(argument)
                if isinstance(asked, Reply):
                    return asked
                sender, stage = asked, "RCPT"
            case "RCPT", "RCPT":
                whom = rcpt_to(argument)
                if isinstance(whom, Reply):
                    return whom
                recipients.setdefault(whom.path.key, whom)
                if len(recipients) > MOST_RECIPIENTS:
                    return NoLetter(f"it has more than {MOST_RECIPIENTS} recipients")
            case "RCPT", "BDAT" if recipients:
                return _counted(argument, _envelope(sender, recipients.values()), at, file_size)
            case _:
                return NoLetter(f"{verb[:20]!r} does not follow there")


def _envelope(sender: MailFrom, recipients: Iterable[RcptTo]) -> Envelope:
    """With what is to be told of them (RFC 3461), as on the wire."""
    paths, asked = zip(*((one.path, one.asked) for one in recipients), strict=True)
    wishes = tuple(one for one in asked if one)
    return Envelope(sender.path, paths, sender.envelope_id, sender.returned, wishes)


def _counted(argument: str, envelope: Envelope, start: int, file_size: int) -> Letter | NoLetter:
    chunk = chunk_size(argument)
    if isinstance(chunk, Reply) or not chunk.last:
        return NoLetter("it does not say how long its message is")
    if start + chunk.octets != file_size:
        there = file_size - start
        return NoLetter(f"its message should have {chunk.octets} octets, and {there} are there")
    return Letter(envelope, start, chunk.octets)


def _text(line: bytes) -> str:
    """The command, or nothing if no client may say it."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return ""
    return "" if _CONTROL.search(text) else text
