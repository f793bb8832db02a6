"""The letter that every program sends, and what must have arrived."""

import base64
import json
import os
from pathlib import Path

from tests.clients.arrivals import Arrival, Relay

SENDER = "wp@contoso.com"
TO = "anna@example.org"
CC = "bert@example.net"
BCC = "carla@example.com"
EVERYBODY = tuple(sorted([TO, CC, BCC]))

SUBJECT = "Rechnung Nr. 4711 – Grüße aus Köln"
TEXT = "Grüß Gott,\n\n.eine Zeile, die mit einem Punkt beginnt\n.\nEnde ohne €-Zeichen"
HTML = '<html><body><p style="color:red">Grüße &amp; mehr</p></body></html>'
SCAN = bytes(range(256)) * 40 + b"\r\n.\r\n" + b"\n.\n"
"""Every octet there is, and what would end a message or be unstuffed if it went out bare."""


def written(folder: Path) -> Path:
    """The attachment as a file."""
    path = folder / "scan.bin"
    path.write_bytes(SCAN)
    return path


def as_json(relay: Relay) -> bytes:
    """Where to send and what, for scripts in other languages."""
    fields = {
        "host": relay.smtp_host,
        "port": relay.smtp_port,
        "from": SENDER,
        "name": "Web, Shop",
        "to": TO,
        "cc": CC,
        "bcc": BCC,
        "subject": SUBJECT,
        "text": TEXT,
        "html": HTML,
        "scan": base64.b64encode(SCAN).decode(),
    }
    return json.dumps(fields).encode()


def environment(home: Path) -> dict[str, str]:
    """For programs that would read their user's own settings: a home of their own."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def assert_is_the_letter(arrival: Arrival, *, text: str = TEXT) -> None:
    """To every recipient once and to nobody else, without a Bcc header, and with all of the
    content."""
    assert arrival.recipients == EVERYBODY
    assert arrival.sender == SENDER
    assert arrival.header_addresses("To") == [TO]
    assert arrival.header_addresses("Cc") == [CC]
    assert BCC.encode() not in arrival.raw
    assert arrival.subject == SUBJECT
    assert arrival.text == text
    assert arrival.attachments == {"scan.bin": SCAN}
