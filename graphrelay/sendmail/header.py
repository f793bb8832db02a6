"""Recipients in a header section (`-t`).

Only To, Cc and Bcc are read, or Resent-To, Resent-Cc and Resent-Bcc instead if there are any (RFC
5322 section 3.6.6). Nothing is changed: the relay removes Bcc.

The header section ends at the first line that is not a field: if the empty line is missing, `To:
somebody` in the text does not add a recipient.
"""

import os
import re

from graphrelay.mime.address_tokens import mailboxes, words
from graphrelay.sendmail.stop import Stop

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def fields(head: bytes) -> list[tuple[str, bytes]]:
    """Names in lower case and values (folded, with line ends), in order."""
    found: list[tuple[str, list[bytes]]] = []
    for match in _LINE.finditer(head):
        line = match[0]
        if found and line[:1] in b" \t" and line.strip():
            found[-1][1].append(line)
        elif field := _FIELD.match(line):
            found.append((field[1].decode("ascii").lower(), [line[field.end() :]]))
        else:
            break
    return [(name, b"".join(lines)) for name, lines in found]


def has(head: bytes, name: str) -> bool:
    """Whether there is a field of that name."""
    return any(found == name for found, _ in fields(head))


def recipients(head: bytes) -> list[str]:
    """The recipients in the fields. Raises `Stop` with EX_DATAERR for anything that is not an
    address."""
    section = fields(head)
    resent = [value for name, value in section if name in ("resent-to", "resent-cc", "resent-bcc")]
    values = resent or [value for name, value in section if name in ("to", "cc", "bcc")]
    return [address for value in values for address in addresses(value)]


def addresses(value: bytes) -> list[str]:
    """The addresses in a list (RFC 5322 section 3.4), parsed as leniently as by the relay.

    `Doe, Jane <jane@x>` is one; groups and routes are accepted, comments are ignored. A name alone
    is a local user.
    """
    found: list[bytes] = []
    for phrase, spec in mailboxes(value):
        if spec is None:
            named = list(words(phrase))
            found += [word for word in named if b"@" in word] or named
        elif spec:
            found.append(spec)
    return [_text(spec) for spec in found]


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Stop(os.EX_DATAERR, f"{octets!r} in the header is not a mail address") from None
