"""The kinds of letters that every program must be able to send: text, HTML, a large attachment,
addresses in UTF-8, many recipients."""

import base64
import json
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from random import Random

from tests.clients import letter
from tests.clients.arrivals import Arrival, Relay

SENDER = letter.SENDER
SCAN = "scan.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What to send, and so what must arrive."""

    subject: str
    to: tuple[str, ...] = (letter.TO,)
    cc: tuple[str, ...] = (letter.CC,)
    bcc: tuple[str, ...] = (letter.BCC,)
    text: str = letter.TEXT
    html: str = ""
    scan: bytes = field(default=b"", repr=False)
    """An attachment, if it has octets."""

    @property
    def everybody(self) -> tuple[str, ...]:
        return (*self.to, *self.cc, *self.bcc)

    def as_json(self, relay: Relay) -> bytes:
        """Where to send and what, for scripts in other languages."""
        fields = {
            "host": relay.smtp_host,
            "port": relay.smtp_port,
            "from": SENDER,
            "name": "Web, Shop",
            "to": self.to,
            "cc": self.cc,
            "bcc": self.bcc,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "scan": base64.b64encode(self.scan).decode(),
        }
        return json.dumps(fields).encode()

    def message(self, *, bcc: bool = False) -> EmailMessage:
        """For programs that take a complete message; with the Bcc header if they read it."""
        message = EmailMessage(policy=policy.SMTPUTF8)
        message["From"] = f"Webshop <{SENDER}>"
        for name, people in (("To", self.to), ("Cc", self.cc), ("Bcc", self.bcc if bcc else ())):
            if people:
                message[name] = ", ".join(people)
        message["Subject"] = self.subject
        message.set_content(self.text)
        if self.html:
            message.add_alternative(self.html, subtype="html")
        if self.scan:
            message.add_attachment(
                self.scan, maintype="application", subtype="octet-stream", filename=SCAN
            )
        return message

    def octets(self, *, bcc: bool = False, line_end: str = "\n") -> bytes:
        return self.message(bcc=bcc).as_bytes(policy=policy.SMTPUTF8.clone(linesep=line_end))


TEXT = Letter(subject="Text – nichts weiter")
HTML = Letter(subject="HTML & Text", html=letter.HTML)
LARGE = Letter(subject="Ein großer Scan", scan=Random(5).randbytes(5_000_000))
UTF8 = Letter(
    subject="An Jürgen", to=("jürgen@bücher.example",), cc=("用户@例え.example",), bcc=(letter.BCC,)
)
MANY = Letter(
    subject="An alle sechzig",
    to=tuple(f"customer{number}@example.org" for number in range(40)),
    cc=tuple(f"colleague{number}@example.net" for number in range(10)),
    bcc=tuple(f"hidden{number}@example.com" for number in range(10)),
)
ASCII = (TEXT, HTML, LARGE, MANY)
"""For programs that know no addresses in UTF-8."""
ALL = (*ASCII, UTF8)


def hand_in(port: int, *letters: Letter) -> None:
    """To a mail server that will forward them."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        for one in letters:
            options = ["SMTPUTF8"] if one is UTF8 else []
            client.sendmail(SENDER, one.everybody, one.octets(line_end="\r\n"), options)


async def assert_arrived(relay: Relay, *letters: Letter) -> None:
    """Each of them once, to every recipient and nobody else, with all of its content."""
    arrivals = await relay.arrived(len(letters))
    assert sorted(one.subject for one in arrivals) == sorted(one.subject for one in letters)
    by_subject = {arrival.subject: arrival for arrival in arrivals}
    for sent in letters:
        _assert_is(by_subject[sent.subject], sent)


def _assert_is(arrival: Arrival, sent: Letter) -> None:
    assert _same(arrival.recipients) == _same(sent.everybody)
    assert arrival.sender == SENDER
    assert _same(arrival.header_addresses("To")) == _same(sent.to)
    assert _same(arrival.header_addresses("Cc")) == _same(sent.cc)
    assert not any(hidden.encode() in arrival.raw for hidden in sent.bcc)
    assert arrival.text == sent.text
    assert arrival.html == sent.html
    assert arrival.attachments == ({SCAN: sent.scan} if sent.scan else {})


def _same(addresses: Sequence[str]) -> list[str]:
    """In one order and one writing: a domain in UTF-8 may become one in ASCII on the way."""
    split = (address.rpartition("@") for address in addresses)
    return sorted(f"{local}@{domain.encode('idna').decode()}" for local, _, domain in split)
