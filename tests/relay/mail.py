"""Values for the tests of this room."""

from datetime import UTC, datetime
from email.parser import BytesHeaderParser

from graphrelay.mime import header
from graphrelay.mime.header import HeaderSection
from graphrelay.model import (
    Address,
    Body,
    Envelope,
    InlineBody,
    Lane,
    Origin,
    Plan,
    Submission,
)
from tests.python_reader import getaddresses

LANE = Lane("website", "info@contoso.com")
ORIGIN = Origin("127.0.0.1:2525", "127.0.0.1")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(Address.parse(text) for text in texts)


def section(octets: bytes) -> HeaderSection:
    found = header.read(octets)
    assert found is not None
    return found


def recipients_by_python(head: bytes) -> list[str]:
    """Keys of all addresses that Python's email package reads in To, Cc and Bcc."""
    message = BytesHeaderParser().parsebytes(head + b"\r\n")
    fields = [
        value.encode("ascii", "surrogateescape").decode("utf-8", "surrogateescape")
        for name, value in message.raw_items()
        if name.lower() in ("to", "cc", "bcc")
    ]
    found = [address for _, address in getaddresses(fields) if address]
    return sorted(Address.parse(address).key for address in found)


def plan(from_address: str | None = None) -> Plan:
    return Plan(route="default", lane=LANE, from_address=from_address)


def submission(
    body: bytes | Body,
    *recipients: str,
    prefix: bytes = b"",
    sender: str | None = "wp@contoso.com",
    planned: Plan | None = None,
) -> Submission:
    return Submission(
        id=1,
        queue_id="4QX7K2M9",
        envelope=Envelope(Address.parse(sender) if sender else None, addresses(*recipients)),
        origin=ORIGIN,
        plan=planned or plan(),
        received_at=NOON,
        message_id="<1@contoso.com>",
        prefix=prefix,
        body=InlineBody(body) if isinstance(body, bytes) else body,
        attempts=0,
    )
