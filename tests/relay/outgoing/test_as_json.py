"""Submissions as JSON, read by the sandbox's strict Graph."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from graphrelay.model import OctetSource, StorageUnavailable, Submission
from graphrelay.relay.outgoing import as_json
from graphrelay.relay.outgoing.as_json import Converted
from graphrelay.relay.outgoing.body_parts import Sealed
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.graph import message as graph_message
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.relay import corpus
from tests.relay.mail import plan, submission
from tests.relay.outgoing.test_body_parts import FILE, HTML, IMAGE, TEXT, multipart
from tests.sandbox.world import World
from tests.tools import needs

HEAD = (
    b"From: Shop <wp@contoso.com>\r\nTo: Alice <alice@contoso.com>, stranger@x.example\r\n"
    b"Cc: bob@contoso.com\r\nBcc: hidden@x.example\r\nReply-To: =?utf-8?q?B=C3=BCro?= <desk@x>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_aus?= K\xc3\xb6ln\r\n"
    b"In-Reply-To: <0@x>\r\nReferences: <0@x>\r\n <00@x>\r\nList-Unsubscribe: <mailto:u@x>\r\n"
    b"X-Priority: 1 (Highest)\r\nSensitivity: Private\r\n"
    b"Disposition-Notification-To: wp@contoso.com\r\nReturn-Receipt-To: wp@contoso.com\r\n"
    b"X-Mailer: shop 1.0\r\nAuto-Submitted: auto-generated\r\n"
    b"Received: from a\r\n by b\r\n"
)
TO = ("alice@contoso.com", "bob@contoso.com", "carol@contoso.com")
MIXED = HEAD + multipart("mixed", multipart("related", HTML, IMAGE), FILE)


async def converted(given: Submission) -> Converted:
    found = await as_json.convert(given)
    assert isinstance(found, Converted), found
    return found


async def octets(source: OctetSource) -> bytes:
    return b"".join([piece async for piece in source.chunks()])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox() as cloud, AsyncExitStack() as stack:
        yield World(cloud, stack)


async def test_every_property_that_graph_has_is_filled() -> None:
    found = await converted(submission(MIXED, *TO))
    read = graph_message.composition(found.fields)
    assert (read.subject, read.body, read.is_html) == ("Grüße aus Köln", "<p>Grüße</p>", True)
    assert [person.address for person in read.to] == ["alice@contoso.com"]
    assert read.to[0].name == "Alice"
    assert [person.address for person in read.cc] == ["bob@contoso.com"]
    assert [person.address for person in read.bcc] == ["carol@contoso.com"]
    assert [(person.name, person.address) for person in read.reply_to] == [("Büro", "desk@x")]
    assert read.sender is not None
    assert (read.sender.name, read.sender.address) == ("Shop", "wp@contoso.com")
    assert (read.importance, read.message_id) == ("high", "<1@contoso.com>")
    assert (read.read_receipt, read.delivery_receipt) == (True, True)
    assert dict(read.properties) == {
        "String 0x1042": "<0@x>",
        "String 0x1039": "<0@x> <00@x>",
        "String 0x1045": "<mailto:u@x>",
        "Integer 0x36": "2",
    }
    assert [name for name, _ in read.headers] == ["X-Mailer", "X-Graphrelay-To"]


async def test_what_is_lost_is_reported() -> None:
    found = await converted(submission(MIXED, *TO))
    assert found.lost == (
        "the order and nesting of the parts:"
        " multipart/mixed (multipart/related (text/html, image/png), application/pdf)",
        "the header field Auto-Submitted",
        "the header field Received",
    )


async def test_a_message_of_next_to_nothing_is_converted() -> None:
    found = await converted(submission(b"\r\n", "a@b.example"))
    assert found.fields == {
        "subject": "",
        "body": {"contentType": "text", "content": ""},
        "from": {"emailAddress": {"address": "info@contoso.com"}},
        "bccRecipients": [{"emailAddress": {"address": "a@b.example"}}],
        "internetMessageId": "<1@contoso.com>",
    }
    graph_message.composition(found.fields)


async def test_five_header_fields_go_and_the_senders_come_first() -> None:
    fields = b"".join(b"X-%d: v\r\n" % number for number in range(4))
    head = b"Sender: x@y\r\n" + fields + b"X-MS-Exchange-Foo: x\r\nX-4: v\r\nX-5: v\r\n"
    found = await converted(submission(head + b"\r\n", "a@b.example"))
    sent = [one["name"] for one in found.fields["internetMessageHeaders"]]
    assert sent == ["X-0", "X-1", "X-2", "X-3", "X-4"]
    assert found.lost == ("the header field X-MS-Exchange-Foo", "the header field X-5")


async def test_of_thousands_of_lost_fields_some_are_named() -> None:
    fields = b"".join(b"X-%d: v\r\n" % number for number in range(2_000))
    found = await converted(submission(fields + b"\r\n", "a@b.example"))
    assert found.lost[0] == "the header field X-5"
    assert found.lost[-1] == "1965 more header fields"
    assert len(found.lost) == 31


async def test_fields_that_graph_refused_are_left_out_and_reported() -> None:
    found = await as_json.convert(submission(MIXED, *TO), most_headers=0)
    assert isinstance(found, Converted)
    assert "internetMessageHeaders" not in found.fields
    assert "the header field X-Mailer" in found.lost


@pytest.mark.parametrize("save", [True, False])
async def test_one_request_carries_it_all(world: World, save: bool, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(MIXED)
    graph = await world.user()
    for body in (MIXED, FileBody(path, len(MIXED))):
        request = await (await converted(submission(body, *TO))).send_mail(save_to_sent_items=save)
        whole = await octets(request)
        assert len(whole) == request.size
        assert await octets(request) == whole
        answer = await graph.http.post(
            "/me/sendMail", content=whole, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 202, answer.text
    first, second = await world.cloud.mailboxes.arrived(2)
    for mail in (first, second):
        assert sorted(mail.received) == sorted(TO)
        assert mail.saved_to_sent is save
        assert mail.content.html.strip() == "<p>Grüße</p>"
        assert [(one.name, one.content, one.inline) for one in mail.content.attachments] == [
            ("attachment-1.png", b"\x89PNG", True),
            ("a.pdf", b"%PDF", False),
        ]


async def test_a_draft_and_its_attachments_make_the_message(world: World) -> None:
    graph = await world.user(scopes="Mail.Send Mail.ReadWrite")
    found = await converted(submission(MIXED, *TO))
    json_type = {"Content-Type": "application/json"}
    made = await graph.http.post("/me/messages", content=found.draft(), headers=json_type)
    assert made.status_code == 201, made.text
    draft = made.json()["id"]
    for one in found.attachments:
        content = b"".join(one.content.pieces())
        described: dict[str, Any] = {
            **as_json.attachment(one),
            "contentBytes": base64.b64encode(content).decode(),
        }
        added = await graph.http.post(f"/me/messages/{draft}/attachments", json=described)
        assert added.status_code == 201, added.text
    assert (await graph.http.post(f"/me/messages/{draft}/send")).status_code == 202
    (mail,) = await world.cloud.mailboxes.arrived(1)
    assert sorted(mail.received) == sorted(TO)
    assert [one.content_id for one in mail.content.attachments] == ["logo@x", ""]


async def test_an_upload_session_knows_the_size_beforehand(world: World) -> None:
    graph = await world.user(scopes="Mail.Send Mail.ReadWrite")
    large = b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = HEAD + multipart("mixed", TEXT, large + b"QUJD" * 1_100_000)
    found = await converted(submission(message, *TO))
    made = await graph.http.post("/me/messages", json=found.fields)
    session = await graph.http.post(
        f"/me/messages/{made.json()['id']}/attachments/createUploadSession",
        json={"AttachmentItem": as_json.upload_item(found.attachments[0])},
    )
    assert session.status_code == 201, session.text
    assert as_json.upload_item(found.attachments[0])["size"] == 3_300_000


async def test_a_signed_message_is_not_converted() -> None:
    signed = HEAD + multipart("signed", TEXT, b"\r\n")
    assert isinstance(await as_json.convert(submission(signed, *TO)), Sealed)


async def test_a_tangled_message_is_not_converted() -> None:
    tangled = HEAD + multipart("mixed", *[b"\r\n"] * 1_001)
    assert isinstance(await as_json.convert(submission(tangled, *TO)), Sealed)


@pytest.mark.parametrize(
    ("part", "shown"), [(TEXT, "would have gone to"), (HTML, "<pre>This message")]
)
async def test_a_redirected_message_says_so_in_its_text(part: bytes, shown: str) -> None:
    staged = replace(plan(), redirect_to="me@x.example")
    found = await converted(submission(HEAD + part, *TO, planned=staged))
    assert shown in found.fields["body"]["content"]
    assert "Grüße" in found.fields["body"]["content"]
    recipients = [found.fields.get(name, []) for name in ("toRecipients", "ccRecipients")]
    assert recipients == [[], []]
    assert found.fields["bccRecipients"] == [{"emailAddress": {"address": "me@x.example"}}]


async def test_a_body_that_lost_octets_is_not_sent_as_whole(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(MIXED)
    request = await (await converted(submission(FileBody(path, len(MIXED)), *TO))).send_mail(
        save_to_sent_items=True
    )
    path.write_bytes(MIXED[:-60])
    with pytest.raises(StorageUnavailable):
        await octets(request)


async def test_every_message_of_pythons_own_email_tests_is_json_that_graph_takes() -> None:
    needs("python-tests")
    data = Path(str(resources.files("test.test_email") / "data"))
    converted_ones = sealed = 0
    for sent in corpus.messages(sorted(data.iterdir())):
        found = await as_json.convert(submission(sent.octets, *sent.recipients))
        if isinstance(found, Sealed):
            sealed += 1
            continue
        converted_ones += 1
        read = graph_message.composition(json.loads(found.draft()))
        people = {person.address for person in (*read.to, *read.cc, *read.bcc)}
        assert people == set(sent.recipients), sent.name
        for one in found.attachments:
            request = json.loads(await octets(await as_json.attach_request(one)))
            assert graph_message.attachment(request).content == b"".join(one.content.pieces())
            item = json.loads(await octets(await as_json.upload_request(one)))
            assert item["AttachmentItem"]["size"] == one.content.size
    assert converted_ones > 40
    print(f"{converted_ones} messages converted, {sealed} sealed ones left whole")
