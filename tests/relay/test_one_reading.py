"""What was checked at acceptance is what is sent, whatever a message begins with.

The sender rule reads a message when it is accepted; Exchange reads the octets that are sent. Here
messages with hostile beginnings go the whole way, and the result is read by three independent
readers: Python's, the sandbox's, and our own, which starts again from the octets.
"""

import asyncio
import smtplib
from collections.abc import Iterable
from dataclasses import replace
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.journal import Journal
from graphrelay.mime import header
from graphrelay.model import (
    Address,
    Envelope,
    OctetSource,
    Reply,
    Submission,
)
from graphrelay.relay.accept import router
from graphrelay.relay.accept.reception import MailReception
from graphrelay.relay.accept.router import Route
from graphrelay.relay.outgoing import as_mime, originator
from graphrelay.sandbox import mime
from tests.clock import FakeClock
from tests.python_reader import getaddresses
from tests.relay.accept.test_reception import Queue
from tests.relay.accept.test_router import TENANT
from tests.relay.mail import ORIGIN, addresses
from tests.smtp.passwords import quick_hash
from tests.spool.memory import MemorySpool
from tests.world import world

MINE = "info@contoso.com"
EVIL = b"From: bob@contoso.com\r\nTo: victim@contoso.com\r\nMessage-ID: <evil@x>\r\n"
AS_MINE = Route(name="info", account="tenant", mailbox=MINE, rewrite_from="never")

BEGINNINGS = {
    "white space and a fold": b" \r\n foo\r\n" + EVIL,
    "an mbox line and junk": b"From root Mon\r\njunk\r\n" + EVIL,
    "an mbox line and a fold": b"From root Mon\r\n foo\r\n" + EVIL,
    "a fold": b" foo\r\n" + EVIL,
    "a tab alone": b"\t\r\n" + EVIL,
    "an empty line": b"\r\n" + EVIL,
    "junk": b"junk\r\n" + EVIL,
    "a field that nobody knows": b"Warning: x\r\n\r\n" + EVIL,
    "a fold before From": b"Subject: x\r\n " + EVIL,
    "a lost fold before From": b"Subject: x\r\ny\r\n" + EVIL,
    "white space before From": b"Subject: x\r\n \r\n" + EVIL,
    "a form feed before From": b"Subject: x\r\n\f\r\n" + EVIL,
    "a space before the colon": EVIL.replace(b"From:", b"From :"),
    "a tab before the colon": EVIL.replace(b"From:", b"From\t:"),
    "a line end before the colon": EVIL.replace(b"From:", b"From\r\n :"),
    "NUL before the name": b"Subject: x\r\n\0" + EVIL,
    "NUL in the name": EVIL.replace(b"From:", b"Fr\0om:"),
    "NUL behind the name": EVIL.replace(b"From:", b"From\0:"),
    "a no-break space behind the name": EVIL.replace(b"From:", b"From\xa0:"),
    "a mark of the byte order": b"\xef\xbb\xbf" + EVIL,
    "eight bits in the name": EVIL.replace(b"From:", b"Fr\xc3\xb6m:"),
    "mixed case": EVIL.replace(b"From:", b"fROM:"),
    "a bare CR": b"Subject: x\r" + EVIL,
    "a bare LF": b"Subject: x\n" + EVIL,
    "bare CRs all over": b"Subject: x\r" + EVIL.replace(b"\r\n", b"\r"),
    "CR CR LF": EVIL.replace(b"\r\n", b"\r\r\n"),
    "a second From": b"From: info@contoso.com\r\n" + EVIL,
    "a third From, folded": b"From: info@contoso.com\r\nX: y\r\nFrom:\r\n bob@contoso.com\r\n",
    "an empty From first": b"From:\r\n" + EVIL,
    "two in one From": b"From: info@contoso.com, bob@contoso.com\r\n",
    "a semicolon in From": b"From: info@contoso.com; bob@contoso.com\r\n",
    "a route in From": b"From: <@info@contoso.com:bob@contoso.com>\r\n",
    "a comment in From": b"From: info@contoso.com (<bob@contoso.com>\r\n",
    "an open quote in From": b'From: "info@contoso.com <bob@contoso.com>\r\n',
    "no bracket": b"From: info@contoso.com <bob@contoso.com\r\n",
    "Sender": b"From: info@contoso.com\r\nSender: bob@contoso.com\r\n",
    "Resent-From": b"Resent-From: bob@contoso.com\r\nFrom: info@contoso.com\r\n",
    "a header behind 16 KiB": b"X: " + b"y" * 17_000 + b"\r\n" + EVIL,
    "a header behind 64 KiB": b"X: y\r\n" * 15_000 + EVIL,
    "a text behind 64 KiB of one field": b"Subject: x\r\n" + b" y\r\n" * 15_000 + b"\r\n" + EVIL,
    "a text that looks like a header": b"From: info@contoso.com\r\n\r\n" + EVIL,
    "fields without an empty line": b"Subject: x\r\nHello\r\nyou\r\n" + EVIL,
}
PIECES = st.lists(
    st.sampled_from(
        [
            b" \r\n",
            b" foo\r\n",
            b"\tfoo\r\n",
            b"From root Mon\r\n",
            b">From root Mon\r\n",
            b"junk\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"\0",
            b"\f\r\n",
            b"\x85\r\n",
            b"From",
            b":",
            b" ",
            b"Subject: x\r\n",
            b"Warning: x\r\n",
            b"Message-ID: <1@x>\r\n",
            b"Message-ID:\r\n",
            b"From: info@contoso.com\r\n",
            b"From:\r\n",
            b"From : bob@contoso.com\r\n",
            b"Sender: bob@contoso.com\r\n",
            b"Cc: c@contoso.com\r\n",
            b"Bcc: d@contoso.com\r\n",
            EVIL,
        ]
    )
    | st.binary(max_size=6),
    max_size=10,
).map(b"".join)


TO = addresses("a@example.org", "victim-not@example.org")
ENVELOPE = Envelope(Address.parse(MINE), TO)


def taken(octets: bytes, senders: Iterable[str] = ()) -> Submission | Reply:
    """As reception takes it from a login that may send as `senders`, or as anybody if none."""

    async def take() -> Submission | Reply:
        clock = FakeClock()
        spool = MemorySpool(clock, Journal(clock))
        reception = MailReception(
            spool=spool,
            queue=Queue(),
            table=router.table([AS_MINE], [TENANT], logins={"scanner": tuple(senders)}),
            journal=Journal(clock, lambda entry: None),
            clock=clock,
            hostname="relay.example",
            max_message_size=35_000_000,
            random_word=lambda: "abc123",
        )
        body = reception.incoming()
        await body.write(octets)
        answer = await reception.accept(ENVELOPE, replace(ORIGIN, login="scanner"), body)
        return answer if isinstance(answer, Reply) else await spool.load(1)

    return asyncio.run(take())


def sent(submission: Submission) -> bytes:
    async def octets() -> bytes:
        source: OctetSource = await as_mime.outgoing(submission)
        return b"".join([piece async for piece in source.chunks()])

    return asyncio.run(octets())


def head_of(octets: bytes) -> bytes:
    return octets[: octets.index(b"\r\n\r\n") + 2]


# --- Three readers -------------------------------------------------------------------------------


def by_python(octets: bytes, *names: str) -> set[str]:
    fields = [
        value.encode("ascii", "surrogateescape").decode("utf-8", "replace")
        for name, value in BytesHeaderParser().parsebytes(octets).raw_items()
        if name.lower() in names
    ]
    return {address.casefold() for _, address in getaddresses(fields) if address}


def by_the_sandbox(octets: bytes, *names: str) -> set[str]:
    fields = (one for one in mime.fields_of(octets) if one.name.lower() in names)
    return {one.address.casefold() for one in mime.people(fields)}


def by_us(octets: bytes, *names: str) -> set[str]:
    section = header.read(octets)
    assert section is not None
    return {str(one).casefold() for one in originator.authors(section, *names)}


READERS = (by_python, by_the_sandbox, by_us)
AUTHORS = ("from", "sender", "resent-from", "resent-sender")
RECIPIENTS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")


def check(octets: bytes) -> None:
    """Everything that must hold for a message with this beginning."""
    submission = taken(octets)
    assert isinstance(submission, Submission)
    out = sent(submission)
    names = [name.lower() for name in BytesHeaderParser().parsebytes(out).keys()]  # noqa: SIM118
    for name in ("from", "message-id", "date"):
        assert names.count(name) == 1
    for read in READERS:
        assert read(out, *RECIPIENTS) == {path.key for path in TO}
    written = set[str]().union(*(read(out, *AUTHORS) for read in READERS))
    for author in written - {MINE}:
        assert isinstance(taken(octets, {MINE, *written} - {author}), Reply), author
    assert _message_id(out) == _plain(submission.message_id)
    section = header.read(octets)
    assert section is not None
    assert out == head_of(out) + b"\r\n" + octets[section.body_start :]


def _message_id(octets: bytes) -> str:
    (value,) = BytesHeaderParser().parsebytes(octets).get_all("Message-ID", [])
    return _plain(str(value))


def _plain(text: str) -> str:
    """Without line ends, and without what an id may not have anyhow."""
    return "".join(one for one in text if one.isascii() and one.isprintable()).strip()


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_a_hostile_beginning_is_read_once(beginning: bytes) -> None:
    check(beginning + b"\r\ntext\r\n")


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_a_hostile_beginning_gets_nobody_else_out(beginning: bytes) -> None:
    """To the login that may send as info only."""
    submission = taken(beginning + b"\r\ntext\r\n", [MINE])
    if isinstance(submission, Submission):
        for read in READERS:
            assert read(sent(submission), *AUTHORS) <= {MINE}


@given(PIECES, st.sampled_from([b"", EVIL, b"\r\n" + EVIL]))
def test_any_beginning_is_read_once(beginning: bytes, rest: bytes) -> None:
    check(beginning + rest)


async def test_the_cloud_gets_what_was_judged(tmp_path: Path) -> None:
    """The whole way over the wire, to the octets that the sandbox was sent."""
    beginnings = [one for one in BEGINNINGS.values() if len(one) < 1_000]
    async with world(tmp_path, extra=LIMITED) as here:
        port = int(here.relay.addresses[1].rpartition(":")[2])
        refused = await asyncio.to_thread(_send, port, beginnings)
        mails = await here.cloud.mailboxes.arrived(len(beginnings) - refused)
    assert 0 < refused < len(beginnings)
    for mail in mails:
        assert mail.received == (TO[0].key,)
        for read in READERS:
            assert read(mail.raw, *AUTHORS) <= {MINE}
            assert read(mail.raw, *RECIPIENTS) == {TO[0].key}


LIMITED = f"""
[[routes]]
account = "website"
mailbox = "{MINE}"
rewrite_from = "never"

[[smtp.listeners]]
address = "127.0.0.1:0"
auth = "required"
auth_in_clear = true

[[smtp.users]]
name = "scanner"
password_hash = "{quick_hash("secret")}"
senders = ["{MINE}"]
"""


def _send(port: int, beginnings: list[bytes]) -> int:
    """How many were refused."""
    refused = 0
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.login("scanner", "secret")
        for beginning in beginnings:
            assert client.mail(MINE)[0] == 250
            assert client.rcpt(str(TO[0]))[0] == 250
            assert client.docmd("DATA")[0] == 354
            client.send(beginning.replace(b"\r\n.", b"\r\n..") + b"\r\ntext\r\n.\r\n")
            code, said = client.getreply()
            refused += code == 550
            assert code == 250 or (code == 550 and b"may not send as" in said)
    return refused
