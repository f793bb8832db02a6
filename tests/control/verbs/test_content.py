"""The content of a message, readable while the message is queued."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphrelay.control.verb import Output, VerbError
from graphrelay.control.verbs.content import LONGEST, ContentVerbs
from graphrelay.journal import Journal
from graphrelay.model import Done
from graphrelay.spool.contract import Spool
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool.mail import NOON, put, relayed

MIXED = b"""Subject: =?utf-8?Q?R=C3=A9sum=C3=A9?=
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<p>Hello
--b
Content-Type: application/pdf; name="Report.pdf"
Content-Disposition: attachment; filename="Report.pdf"
Content-Transfer-Encoding: base64

JVBERg==
--b--
""".replace(b"\n", b"\r\n")


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    clock = FakeClock()
    async with SqliteSpool.open(tmp_path / "spool", clock, Journal(clock), reserve=0) as opened:
        yield opened


async def shown(spool: Spool, queue_id: str) -> Output:
    async def nobody(what: str) -> str:
        raise AssertionError(what)

    verb = ContentVerbs(spool).table()["queue-content"]
    [event] = [event async for event in verb({"queue_id": queue_id}, nobody)]
    return event


async def test_fields_text_and_files_are_shown(spool: Spool) -> None:
    (submission,) = await put(spool, MIXED)
    event = await shown(spool, submission.queue_id)
    assert ["Subject", "Résumé"] in event["fields"]
    assert event["is_html"]
    assert "<p>Hello" in event["text"]
    assert event["files"] == [{"name": "Report.pdf", "type": "application/pdf", "inline": False}]


async def test_of_a_long_text_the_beginning_is_shown(spool: Spool) -> None:
    octets = b"Subject: x\r\n\r\n" + b"word " * (LONGEST // 4) + b"\r\n"
    (submission,) = await put(spool, octets)
    event = await shown(spool, submission.queue_id)
    assert event["cut"]
    assert len(event["text"]) == LONGEST


async def test_a_signed_message_is_not_taken_apart(spool: Spool) -> None:
    octets = b"Content-Type: application/pkcs7-mime\r\n\r\nMIAG\r\n"
    (submission,) = await put(spool, octets)
    event = await shown(spool, submission.queue_id)
    assert event["sealed"]
    assert event["text"] == ""


async def test_when_a_message_is_done_its_text_is_gone(spool: Spool) -> None:
    (submission,) = await put(spool, MIXED)
    number = await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(number), Done("relayed"))
    with pytest.raises(VerbError, match="was deleted"):
        await shown(spool, submission.queue_id)
    with pytest.raises(VerbError, match="no message"):
        await shown(spool, "0000000000")
