"""Letters that are too large for one request, with limits small enough to keep them small."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.clock import FakeClock
from tests.world import Scenario, World, world

REQUEST = 100_000
SMALLEST_UPLOAD = 60_000
LARGE = "large_messages = true\n"
DELIVERY = f'\n[delivery]\nmax_mime_request = "{REQUEST} B"\n'
SENT_ITEMS = "wp@contoso.com"


def settings() -> MailSettings:
    """Graph's limits, divided by forty."""
    return MailSettings(request_limit=REQUEST, attachment_minimum=SMALLEST_UPLOAD)


@asynccontextmanager
async def small_world(
    directory: Path,
    *,
    scenario: Scenario = "any-user",
    account: str = LARGE,
    extra: str = "",
    clock: FakeClock | None = None,
) -> AsyncIterator[World]:
    """Its application may read and write mail, and so may the user who signs in."""
    async with world(
        directory,
        scenario=scenario,
        account=account,
        extra=extra + DELIVERY,
        mail_settings=settings(),
        clock=clock,
        roles=("Mail.Send", "Mail.ReadWrite"),
    ) as here:
        yield here


def file(name: str, size: int) -> bytes:
    """Octets that are unique to that name."""
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def part(name: str, size: int, fields: str = "", kind: str = "application/pdf") -> bytes:
    """An attachment in base64; `fields` are whole lines."""
    head = f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
    fields = fields or f'Content-Disposition: attachment; filename="{name}"\r\n'
    encoded = base64.encodebytes(file(name, size)).replace(b"\n", b"\r\n")
    return (head + fields + "\r\n").encode() + encoded


def letter(*parts: bytes, head: bytes = b"", kind: str = "mixed") -> bytes:
    """A message to Alice with these parts behind a text."""
    text = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Gr\xc3\xbc\xc3\x9fe</p>\r\n"
    whole = b"\r\n".join(b"--b\r\n" + one for one in (text, *parts))
    return (
        b"From: Shop <wp@contoso.com>\r\nTo: Alice <alice@contoso.com>\r\nSubject: Report\r\n"
        + head
        + f'MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary="b"\r\n\r\n'.encode()
        + whole
        + b"\r\n--b--\r\n"
    )


def send(here: World, message: bytes, *recipients: str) -> None:
    with here.client() as client:
        refused = client.sendmail("wp@contoso.com", recipients or ("alice@contoso.com",), message)
        assert refused == {}
