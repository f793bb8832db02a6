"""Recipients in a header section (`-t`), as octets in, addresses out.

Only To, Cc and Bcc are read, or where there are any, Resent-To, Resent-Cc and Resent-Bcc in their
place (RFC 5322 section 3.6.6). Nothing is changed: that Bcc reaches nobody is the relay's doing.

The header section ends where a line is no field: text that speaks of `To: somebody` behind a
forgotten empty line makes nobody a recipient.
"""

import os
import re

from graphrelay.mime.address_tokens import mailboxes, words
from graphrelay.sendmail.stop import Stop

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def fields(head: bytes) -> list[tuple[str, bytes]]:
    """Names in lower case and values (folded, with line ends), in their order."""
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
    """Whom the fields name. Raises `Stop` with EX_DATAERR for what is no address."""
    section = fields(head)
    resent = [value for name, value in section if name in ("resent-to", "resent-cc", "resent-bcc")]
    values = resent or [value for name, value in section if name in ("to", "cc", "bcc")]
    return [address for value in values for address in addresses(value)]


def addresses(value: bytes) -> list[str]:
    """The addresses in a list (RFC 5322 section 3.4), as leniently as the relay reads them.

    `Doe, Jane <jane@x>` is one, groups and routes are read through, comments are not read. A name
    alone is an address of this machine.
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
        raise Stop(os.EX_DATAERR, f"{octets!r} in the header is no mail address") from None
