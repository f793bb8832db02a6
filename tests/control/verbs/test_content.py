"""The content of a message, readable while the message is queued."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphrelay.control.verb import Output, VerbError
from graphrelay.control.verbs.content import LONGEST, PIECE, WHOLE, ContentVerbs
from graphrelay.journal import Journal
from graphrelay.model import Done
from graphrelay.spool.contract import Spool
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool.mail import NOON, a_message, put, relayed

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


async def nobody(what: str) -> str:
    raise AssertionError(what)


async def shown(spool: Spool, queue_id: str) -> Output:
    verb = ContentVerbs(spool).table()["queue-content"]
    [event] = [event async for event in verb({"queue_id": queue_id}, nobody)]
    return event


async def test_fields_text_and_files_are_shown(spool: Spool) -> None:
    (submission,) = await put(spool, MIXED)
    event = await shown(spool, submission.queue_id)
    assert ["Subject", "Résumé"] in event["fields"]
    assert event["is_html"]
    assert "<p>Hello" in event["text"]
    [file] = event["files"]
    assert (file["number"], file["name"], file["type"]) == (1, "Report.pdf", "application/pdf")
    assert (file["size"], file["inline"]) == (4, False)


async def test_a_file_comes_with_its_name_and_in_pieces(spool: Spool) -> None:
    (submission,) = await put(spool, MIXED)
    first, octets = await of_file(spool, submission.queue_id, 1)
    assert first == {"kind": "file", "name": "Report.pdf", "type": "application/pdf", "size": 4}
    assert octets == b"%PDF"
    with pytest.raises(VerbError, match="has no file 2"):
        await of_file(spool, submission.queue_id, 2)


async def test_the_message_itself_is_as_it_was_accepted(spool: Spool) -> None:
    octets = b"Subject: x\r\n\r\n" + b"word " * PIECE + b"\r\n"
    (submission,) = await put(spool, octets, a_message(prefix=b"Date: now\r\n"))
    first, found = await of_file(spool, submission.queue_id, WHOLE)
    assert first["name"] == f"{submission.queue_id}.eml"
    assert found == b"Date: now\r\n" + octets
    assert first["size"] == len(found)


async def of_file(spool: Spool, queue_id: str, number: int) -> tuple[Output, bytes]:
    verb = ContentVerbs(spool).table()["queue-file"]
    events = [event async for event in verb({"queue_id": queue_id, "number": number}, nobody)]
    return events[0], b"".join(base64.b64decode(event["base64"]) for event in events[1:])


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
    with pytest.raises(VerbError, match="were deleted"):
        await shown(spool, submission.queue_id)
    with pytest.raises(VerbError, match="no message"):
        await shown(spool, "0000000000")
