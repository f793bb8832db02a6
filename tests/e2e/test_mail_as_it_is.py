"""What programs really write arrives as intended, by every method of submission.

All messages of the table are sent once by each method, in one world for each; then each is checked
separately.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from pathlib import Path

import pytest

from graphrelay.journal import Entry
from graphrelay.sandbox.graph.faults import UnknownRecipient
from graphrelay.sandbox.mailbox_items import Mail
from tests.e2e.as_mail_is import CASES, INVITATION, multipart
from tests.world import World, world

SENDER = "wp@contoso.com"
JSON = '\n[[routes]]\naccount = "website"\ncontent = "json"\n'
NUMBERS = {name: number for number, name in enumerate(CASES)}
Arrived = dict[str, tuple[Mail, list[str]]]
"""By the name of the case; and what was lost."""


def address(name: str) -> str:
    return f"case{NUMBERS[name]}@example.org"


def by_smtp(here: World, wrapped: Callable[[bytes], bytes] = bytes) -> None:
    with here.client() as client:
        for name, case in CASES.items():
            octets = wrapped(case.octets(address(name)))
            options = ["BODY=8BITMIME", "RET=FULL"]
            client.sendmail(SENDER, address(name), octets, options)


def by_sendmail(here: World) -> None:
    def send(name: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "graphrelay.sendmail", "-t", "-i", "-f", SENDER],
            input=CASES[name].octets(address(name)).replace(b"\r\n", b"\n"),
            env=os.environ | {"GRAPHRELAY_SOCKET": f"127.0.0.1:{here.port}"},
            check=True,
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, CASES))


def nested(octets: bytes) -> bytes:
    """In a report, or forwarded."""
    head = b"From: wp@contoso.com\r\nMIME-Version: 1.0\r\n"
    part = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + octets
    return head + multipart("mixed", part, boundary="outer").replace(b"\r\n", b"\n").replace(
        b"\n", b"\r\n"
    )


async def all_sent(
    directory: Path,
    send: Callable[[World], None] = by_smtp,
    *,
    extra: str = "",
    account: str = "",
    refused: bool = False,
) -> Arrived:
    """What arrived; where the cloud refuses all of it, the reports."""
    directory.mkdir()
    roles = ("Mail.Send", "Mail.ReadWrite")
    async with world(directory, extra=extra, account=account, roles=roles) as here:
        for name in CASES if refused else ():
            here.cloud.faults.on(UnknownRecipient(address=address(name)))
        await asyncio.to_thread(send, here)
        arrived = await here.cloud.mailboxes.arrived(len(CASES), timeout=60)
        await here.until(lambda: len(here.events("relayed")) == len(CASES))
        lost = {_recipient(entry): _lost(entry) for entry in here.events("relayed")}
    if refused:
        about = {name: f"\r\nTo: {address(name)}\r\n".encode() for name in CASES}
        return {
            name: (next(one for one in arrived if about[name] in one.raw), []) for name in CASES
        }
    found = {mail.received[0]: mail for mail in arrived}
    return {name: (found[address(name)], lost[address(name)]) for name in CASES}


def _recipient(entry: Entry) -> str:
    (recipient,) = re.findall(r"[^\[<'>\]]+@[^\[<'>\]]+", str(entry.fields["recipients"]))
    return str(recipient)


def _lost(entry: Entry) -> list[str]:
    return list(entry.fields.get("lost") or ())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arrived]:
    folder = tmp_path_factory.mktemp("ways")

    async def run() -> dict[str, Arrived]:
        return {
            "smtp": await all_sent(folder / "smtp"),
            "sendmail": await all_sent(folder / "sendmail", by_sendmail),
            "json": await all_sent(folder / "json", extra=JSON),
            "draft": await all_sent(folder / "draft", extra=JSON, account="exact_once = true\n"),
            "report": await all_sent(folder / "report", refused=True),
            "nested": await all_sent(
                folder / "nested", lambda here: by_smtp(here, nested), extra=JSON
            ),
        }

    return asyncio.run(run())


def fields(mail: Mail, name: str) -> list[str]:
    head = mail.delivered.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    return [value for key, value in message_from_bytes(head).items() if key.lower() == name]


def names(mail: Mail, field: str) -> str:
    shown = getaddresses([value.replace("\r\n", "") for value in fields(mail, field)])
    return ", ".join(str(make_header(decode_header(name))) for name, _ in shown)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("way", ["smtp", "sendmail"])
def test_as_mime_the_fields_are_legible_and_the_body_is_untouched(
    ways: dict[str, Arrived], way: str, name: str
) -> None:
    case, (mail, _) = CASES[name], ways[way][name]
    assert mail.via == "mime"
    head, _, body = mail.delivered.partition(b"\r\n\r\n")
    assert body == case.octets("").partition(b"\r\n\r\n")[2]
    assert set(case.lines) <= set(head.split(b"\r\n"))
    assert mail.received == (address(name),)
    for field in ("from", "subject", "reply-to"):
        assert len(fields(mail, field)) <= 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("way", ["json", "draft"])
def test_taken_apart_a_message_says_the_same(ways: dict[str, Arrived], way: str, name: str) -> None:
    case, (mail, lost) = CASES[name], ways[way][name]
    assert mail.via == way
    assert str(make_header(decode_header(fields(mail, "subject")[0]))) == case.subject
    assert names(mail, "from") == case.name
    assert names(mail, "reply-to") == case.reply_name or not case.reply_name
    found = mail.content.html if case.html else mail.content.text
    assert case.text is None or case.text in found
    assert files(message_from_bytes(mail.delivered)) == case.files
    assert case.lost in lost or not case.lost


def files(message: "Message[str, str]") -> tuple[tuple[str, bytes, str], ...]:
    return tuple(
        (str(part.get_filename()), octets, str(part.get_content_disposition()))
        for part in message.walk()
        if part.get_content_disposition()
        and isinstance(octets := part.get_payload(decode=True), bytes)
    )


@pytest.mark.parametrize("name", CASES)
def test_a_report_quotes_the_message_as_it_was_written(ways: dict[str, Arrived], name: str) -> None:
    case, (mail, _) = CASES[name], ways["report"][name]
    quoted = case.octets(address(name)).removeprefix(b"\xef\xbb\xbf")
    assert quoted in mail.delivered
    report = message_from_bytes(mail.delivered)
    assert report.get_content_type() == "multipart/report"
    assert str(report["Subject"]).startswith("Undelivered mail (")


@pytest.mark.parametrize("name", CASES)
def test_a_message_within_another_is_a_file_by_its_subject(
    ways: dict[str, Arrived], name: str
) -> None:
    case, (mail, _) = CASES[name], ways["nested"][name]
    [(shown, octets, _)] = files(message_from_bytes(mail.delivered))
    assert octets == case.octets(address(name))
    assert shown == case.nested_name


@pytest.mark.parametrize("save", [True, False])
async def test_an_invitation_stays_one_where_the_route_says_so(tmp_path: Path, save: bool) -> None:
    def send(here: World) -> None:
        with here.client() as client:
            for name in (INVITATION, "10 an empty alternative"):
                client.sendmail(SENDER, address(name), CASES[name].octets(address(name)))

    no_copy = "" if save else "save_to_sent_items = false\n"
    async with world(tmp_path, extra=f'{JSON}{no_copy}invitations = "mime"\n') as here:
        await asyncio.to_thread(send, here)
        arrived = await here.cloud.mailboxes.arrived(2)
    found = {mail.received[0]: mail for mail in arrived}
    invitation, other = found[address(INVITATION)], found[address("10 an empty alternative")]
    assert (invitation.via, other.via) == ("mime", "json")
    assert b"Content-Type: text/calendar; method=REQUEST\r\n" in invitation.delivered
    assert (invitation.saved_to_sent, other.saved_to_sent) == (True, save)
