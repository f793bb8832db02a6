"""What arrived at the far end: the only thing that a test of a mail program checks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import HeaderParser
from pathlib import Path
from typing import Protocol, cast


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that was submitted, as those who received it see it."""

    recipients: tuple[str, ...]
    """Who received it, sorted; somebody who received it twice stands here twice."""
    raw: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def sender(self) -> str:
        """The address that the recipients see as From."""
        return str(self.message["From"].addresses[0].addr_spec)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text, with `\\n` line ends and without those at its end."""
        return self._content("plain")

    @property
    def html(self) -> str:
        return self._content("html")

    @property
    def attachments(self) -> dict[str, bytes]:
        """File name -> octets."""
        return {
            part.get_filename(""): cast(bytes, part.get_payload(decode=True))
            for part in self._parts()
            if part.get_filename()
        }

    def header_addresses(self, name: str) -> list[str]:
        """Every address in the headers of that name; they may be in UTF-8 (RFC 6532)."""
        text = self.raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
        headers = HeaderParser(policy=policy.default).parsestr(text).get_all(name, [])
        return [address.addr_spec for header in headers for address in header.addresses]

    def _content(self, subtype: str) -> str:
        for part in self._parts():
            if part.get_content_type() == f"text/{subtype}" and not part.get_filename():
                return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")
        return ""

    def _parts(self) -> Iterator[EmailMessage]:
        return self.message.walk()


@dataclass(frozen=True, slots=True)
class Login:
    """Of [[smtp.users]]."""

    name: str
    password: str


LOGIN = Login("smarthost", "geheim")


@dataclass(frozen=True, slots=True)
class Sendmail:
    """A command without arguments, in the environment that it needs."""

    program: Path
    environment: dict[str, str]


class Relay(Protocol):
    """The way to the far end: where programs send to, and what arrived there."""

    @property
    def smtp_host(self) -> str: ...

    @property
    def smtp_port(self) -> int: ...

    @property
    def tls_port(self) -> int:
        """Where STARTTLS is offered and a login (`LOGIN`) needed."""
        ...

    @property
    def ca_file(self) -> Path:
        """The authority that signed the certificate there, for `localhost`."""
        ...

    @property
    def sendmail(self) -> Sendmail:
        """graphrelay-sendmail, set up for this relay."""
        ...

    async def arrived(self, count: int) -> list[Arrival]:
        """Wait until `count` messages have arrived, and return all that have."""
        ...
