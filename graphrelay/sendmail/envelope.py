"""The envelope for the relay, in the syntax of SMTP, both on the wire and in the drop folder.

Nothing gets into a command that could end its line: control characters and octets that are not
UTF-8 are refused before anything is sent.
"""

import os

from graphrelay.sendmail.stop import Stop


class Envelope:
    """Sender and recipients; addresses without angle brackets."""

    __slots__ = ("envelope_id", "notify", "recipients", "returned", "sender")

    def __init__(self, sender: str, recipients: list[str]) -> None:
        self.sender = sender
        """Empty is the null sender."""
        self.recipients = recipients
        self.envelope_id = ""
        """ENVID, RET and NOTIFY of RFC 3461, or empty."""
        self.returned = ""
        self.notify = ""

    def to(self, recipients: list[str]) -> "Envelope":
        """The same envelope with other recipients."""
        other = Envelope(self.sender, recipients)
        other.envelope_id, other.returned = self.envelope_id, self.returned
        other.notify = self.notify
        return other

    @property
    def is_ascii(self) -> bool:
        return all(address.isascii() for address in (self.sender, *self.recipients))

    def mail(self, extensions: frozenset[str], *, eight_bit: bool) -> str:
        """The MAIL command, with the parameters that the server supports."""
        words = [f"MAIL FROM:<{self.sender}>"]
        if eight_bit and "8BITMIME" in extensions:
            words.append("BODY=8BITMIME")
        if "SMTPUTF8" in extensions and not self.is_ascii:
            words.append("SMTPUTF8")
        if "DSN" in extensions:
            words += [f"RET={self.returned}"] if self.returned else []
            words += [f"ENVID={xtext(self.envelope_id)}"] if self.envelope_id else []
        return " ".join(words)

    def rcpt(self, recipient: str, extensions: frozenset[str]) -> str:
        """The RCPT command for one of the recipients."""
        notify = f" NOTIFY={self.notify}" if self.notify and "DSN" in extensions else ""
        return f"RCPT TO:<{recipient}>{notify}"


def xtext(text: str) -> str:
    """RFC 3461 section 4: characters that a parameter must not contain, as `+XX`."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}"
        for octet in text.encode("utf-8", "replace")
    )


def safe(address: str) -> str:
    """The address, if it is allowed in a command. Raises `Stop` with EX_DATAERR."""
    shown = address.encode("ascii", "backslashreplace").decode()
    if not address.isprintable() or set(address) & set("<>"):
        raise Stop(os.EX_DATAERR, f"{shown!r} is not a mail address")
    if address.startswith("-"):
        raise Stop(os.EX_USAGE, f"{shown!r} looks like an option; options come before recipients")
    return address
