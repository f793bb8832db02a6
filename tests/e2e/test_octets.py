"""Messages that rewriting would break, from the SMTP client to the recipient's mailbox."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest

from graphrelay.sandbox.faults import CutAfter
from graphrelay.sandbox.mailbox_items import Mail
from tests.world import World, world

HEAD = b"From: wp@contoso.com\r\nTo: alice@contoso.com\r\nSubject: Octets\r\nMIME-Version: 1.0\r\n"


def mime(kind: str, body: bytes, fields: str = "") -> bytes:
    return HEAD + f"Content-Type: {kind}\r\n{fields}\r\n".encode() + body


def dkim(body: bytes) -> bytes:
    """With the hash that a verifier compares (RFC 6376 section 3.7, simple canonicalization)."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    field = f"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=x; s=y; bh={digest}; b=AA==\r\n"
    return field.encode() + mime("text/plain", body)


SIGNED = (
    b"This is a signed message \r\n\r\n--s\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe, trailing =20\r\n\r\n"
    b"--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--s--\r\n"
)
INVITATION = (
    b"--a\r\nContent-Type: text/plain\r\n\r\nCome.\r\n--a\r\n"
    b'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\r\n\r\n'
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n--a--\r\n"
)
MANY = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(2000))
ANY_OCTET = bytes(one for one in range(256) if one not in b"\r\n") * 40 + b"\r\n"
MESSAGES = {
    "S/MIME signed": mime('multipart/signed; micalg=sha-256; boundary="s"', SIGNED),
    "S/MIME encrypted": mime(
        "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        base64.encodebytes(ANY_OCTET).replace(b"\n", b"\r\n"),
        "Content-Transfer-Encoding: base64\r\n",
    ),
    "DKIM": dkim(b"Body  with   spaces \r\n\r\n\tand tabs\r\n"),
    "invitation": mime('multipart/alternative; boundary="a"', INVITATION),
    "flowed": mime("text/plain; format=flowed; delsp=yes", b"soft \r\nbreak\r\n-- \r\nme\r\n"),
    "binary": mime("application/octet-stream", ANY_OCTET, "Content-Transfer-Encoding: binary\r\n"),
    "nested": mime("message/rfc822", b"To: x@y\r\nBcc: z@z\r\nSubject: inner\r\n\r\ntext\r\n"),
    "100 kB line": mime("text/plain", b"x" * 100_000 + b"\r\n"),
    "no headers": b"\r\nOnly text, and To: nobody@example.org in it.\r\n",
    "2,000 headers": MANY + mime("text/plain", b"hi\r\n"),
    "NUL": mime("text/plain", b"a\x00b\x00\r\n\x00\r\n"),
    "broken boundary": mime('multipart/mixed; boundary="a"', b"--b\r\n\r\n--a\r\nno end"),
    "dots": mime("text/plain", b".\r\n..\r\n.x\r\n"),
    "no line end": mime("text/plain", b"the end"),
}  # fmt: skip


def send(here: World, message: bytes) -> None:
    with here.client() as client:
        given = client.sendmail(
            "wp@contoso.com", ["alice@contoso.com"], message, mail_options=["BODY=8BITMIME"]
        )
        assert given == {}


@pytest.fixture
async def arrived(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[bytes, Mail]:
    message: bytes = MESSAGES[request.param]
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, message)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    return message, mail


@pytest.mark.parametrize("arrived", MESSAGES, indirect=True)
async def test_no_octet_behind_the_header_section_changes(arrived: tuple[bytes, Mail]) -> None:
    message, mail = arrived
    body = message.partition(b"\r\n\r\n")[2] if message[:2] != b"\r\n" else message[2:]
    found = mail.delivered.partition(b"\r\n\r\n")[2]
    assert found.removesuffix(b"\r\n") == body.removesuffix(b"\r\n")
    assert mail.received == ("alice@contoso.com",)
    for field in re.findall(rb"(?im)^(?:content-[a-z-]+|x-\d+|dkim-signature):.*\r\n", message):
        if field in message.partition(b"\r\n\r\n")[0] + b"\r\n":
            assert field in mail.delivered.partition(b"\r\n\r\n")[0] + b"\r\n"


@pytest.mark.parametrize("arrived", ["DKIM"], indirect=True)
async def test_the_body_hash_of_a_dkim_signature_still_fits(arrived: tuple[bytes, Mail]) -> None:
    _, mail = arrived
    head, _, body = mail.delivered.partition(b"\r\n\r\n")
    wanted = re.search(rb"bh=([^;]+)", head)
    assert wanted is not None
    assert base64.b64encode(hashlib.sha256(body).digest()) == wanted[1]


async def test_date_and_message_id_are_added_once_and_stay_over_retries(tmp_path: Path) -> None:
    retry = '\n[delivery]\nretry_min = "1s"\n'
    async with world(tmp_path, extra=retry) as here:
        here.cloud.faults.on(CutAfter(path="/v1.0/users/", times=1))
        await asyncio.to_thread(send, here, HEAD + b"\r\nHello\r\n")
        first, second = await here.cloud.mailboxes.arrived(2)
    assert first.raw == second.raw
    assert first.raw.lower().count(b"\r\ndate:") + first.raw.startswith(b"Date:") == 1
    assert first.raw.lower().count(b"message-id:") == 1
