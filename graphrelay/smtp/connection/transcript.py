"""What a client and the relay said to each other, for an admin who asks why a device failed.

What is always true here: it is kept only for clients that the admin named, it is bounded, and it
holds neither passwords nor messages: what a client answers to a prompt of AUTH, and what follows
AUTH's mechanism, is masked, and of the data only the number of octets is written down. A client
that does not look at replies sends its password and its message even where AUTH and DATA were
refused: after either, a line that is no command is counted as well.
"""

import re
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_LINES: Final = 100
"""The last ones are kept."""
_LONGEST: Final = 200
_CLIENTS: Final = 256
"""Whose last failed conversation is kept in memory."""
_LOGIN = re.compile(
    r"(AUTH\W*(?:PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|NTLM|GSSAPI|EXTERNAL|XOAUTH2|OAUTHBEARER)?)(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""AUTH in any spelling, and what is secret behind it."""
COMMANDS: Final = frozenset(
    {"AUTH", "BDAT", "DATA", "EHLO", "EXPN", "HELO", "HELP"}
    | {"MAIL", "NOOP", "QUIT", "RCPT", "RSET", "STARTTLS", "VRFY"}
)
"""What may be written down although a secret may follow."""
_BEFORE_SECRETS: Final = frozenset({"AUTH", "BDAT", "DATA"})


@dataclass(frozen=True, slots=True)
class FailedConversation:
    """A client's last conversation in which something went wrong."""

    at: datetime
    """When it ended."""
    client: str
    listener: str
    lines: tuple[str, ...]
    """`C: …` and `S: …`."""


class Transcripts:
    """The last failed conversation of each client that the admin named, until the relay ends."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, FailedConversation] = OrderedDict()

    def keep(self, failed: FailedConversation) -> None:
        """In place of the one before."""
        self._last[failed.client] = failed
        self._last.move_to_end(failed.client)
        while len(self._last) > _CLIENTS:
            self._last.popitem(last=False)

    def of(self, client: str) -> FailedConversation | None:
        """By the address of the client, or `unix`."""
        return self._last.get(client)


class Transcript:
    """The lines of one conversation: `C: …` and `S: …`."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._octets = 0
        self._secrets_may_follow = False

    def heard(self, line: bytes, *, secret: bool = False) -> None:
        """A line of the client, with its end."""
        text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
        verb = text[:4].upper() if _LOGIN.match(text) else text.partition(" ")[0].upper()
        if secret:
            text = "****"
        elif verb not in COMMANDS and self._secrets_may_follow:
            text = f"({len(line)} octets that are not a command)"
        else:
            text = _LOGIN.sub(_masked, text, count=1) if verb == "AUTH" else text
        self._secrets_may_follow |= verb in _BEFORE_SECRETS
        self._add(f"C: {text}")

    def heard_data(self, octets: int) -> None:
        """Octets of a message, in however many pieces."""
        self._octets += octets

    def said(self, octets: bytes) -> None:
        """Replies, with their ends."""
        for line in octets.decode("utf-8", "backslashreplace").splitlines():
            self._add(f"S: {line}")

    def lines(self) -> list[str]:
        """From the beginning, or what is left of it."""
        self._tell_octets()
        return list(self._lines)

    def _add(self, line: str) -> None:
        self._tell_octets()
        self._lines.append("".join(c if c.isprintable() else "\ufffd" for c in line[:_LONGEST]))

    def _tell_octets(self) -> None:
        if self._octets:
            self._lines.append(f"C: ({self._octets} octets of a message)")
            self._octets = 0


def _masked(login: re.Match[str]) -> str:
    return f"{login[1].rstrip()} ****" if login[2].strip() else login[1]
