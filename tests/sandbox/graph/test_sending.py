import base64
from collections.abc import AsyncIterator

import pytest

from graphrelay.sandbox import Sandbox
from tests.sandbox.world import World, code_of, message


async def test_202_has_no_body_and_the_mail_is_there(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    answer = await graph.send(message("you@example.org"))
    assert (answer.status_code, answer.content) == (202, b"")
    (mail,) = cloud.mailboxes.submitted
    assert mail.raw == message("you@example.org")
    assert (mail.mailbox, mail.via, mail.received) == (
        "wp@contoso.com",
        "mime",
        ("you@example.org",),
    )
    assert mail.saved_to_sent
    assert mail.message_id == "<1@example.org>"


async def test_everybody_in_to_cc_and_bcc_receives_once_and_nobody_sees_bcc(
    world: World, cloud: Sandbox
) -> None:
    graph = await world.user()
    octets = message(
        "a@example.org, alice@contoso.com", "Cc: A@Example.org, c@example.org", "Bcc: d@example.org"
    )
    await graph.send(octets)
    (mail,) = cloud.mailboxes.submitted
    assert mail.received == ("a@example.org", "alice@contoso.com", "c@example.org", "d@example.org")
    assert mail.bcc == ("d@example.org",)
    assert cloud.mailboxes.outside("d@example.org") == [mail]
    assert mail.delivered == octets.replace(b"Bcc: d@example.org\r\n", b"")


@pytest.mark.parametrize("to", ["undisclosed-recipients:;", ""])
async def test_a_message_to_nobody_is_refused(world: World, cloud: Sandbox, to: str) -> None:
    graph = await world.user()
    answer = await graph.send(message(to))
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "ErrorInvalidRecipients",
        "message": "At least one recipient is not valid., A message can't be sent because it "
        "contains no recipients.",
    }
    assert cloud.mailboxes.submitted == []


async def test_one_bad_recipient_stops_the_whole_message(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    answer = await graph.send(message("good@example.org, not-an-address"))
    assert (answer.status_code, code_of(answer)) == (400, "ErrorInvalidRecipients")
    assert "'not-an-address' is not resolved" in answer.json()["error"]["message"]
    assert cloud.mailboxes.submitted == []


async def test_500_recipients_are_taken_and_501_are_not(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    everybody = [f"u{number}@example.org" for number in range(501)]
    assert (await graph.send(message(", ".join(everybody[:500])))).status_code == 202
    answer = await graph.send(message(", ".join(everybody)))
    assert code_of(answer) == "ErrorRecipientLimitExceeded"
    assert len(cloud.mailboxes.submitted) == 1


async def test_line_breaks_in_the_base64_do_not_matter(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    wrapped = base64.encodebytes(message(body="x" * 500))
    answer = await graph.http.post(
        "/me/sendMail", content=wrapped, headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 202
    assert cloud.mailboxes.submitted[0].raw == message(body="x" * 500)


@pytest.mark.parametrize("body", [b"From: x@y", b"AAA", b"AA==AA==", b"AA-_", b"\xff\xfe"])
async def test_what_is_not_base64_is_refused(world: World, body: bytes) -> None:
    graph = await world.user()
    answer = await graph.http.post(
        "/me/sendMail", content=body, headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "ErrorMimeContentInvalidBase64String",
            "message": "Invalid base64 string for MIME content.",
        }
    }


async def test_the_limit_is_counted_on_the_base64(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    cloud.mailboxes.settings.request_limit = 4000
    fits = message(body="x" * (3000 - len(message(body=""))))
    assert len(base64.b64encode(fits)) == 4000
    assert (await graph.send(fits)).status_code == 202
    answer = await graph.send(fits + b"x")
    assert (answer.status_code, code_of(answer)) == (413, "RequestEntityTooLarge")
    assert answer.json()["error"]["message"] == "The maximum request length supported is 4MB."


async def test_the_default_limit_is_4_000_000_and_the_connection_goes_on(
    world: World, cloud: Sandbox
) -> None:
    graph = await world.user()
    assert (await graph.send(message(body="x" * 2_999_000))).status_code == 202
    assert (await graph.send(message(body="x" * 3_000_001))).status_code == 413
    assert (await graph.send(message())).status_code == 202


async def test_an_oversize_body_without_a_length_is_refused_too(
    world: World, cloud: Sandbox
) -> None:
    graph = await world.user()
    cloud.mailboxes.settings.request_limit = 100

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"QUFB"

    answer = await graph.http.post(
        "/me/sendMail",
        content=pieces(),
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 413


async def test_what_an_oversize_request_gets_is_a_setting(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    cloud.mailboxes.settings.request_limit = 100
    cloud.mailboxes.settings.oversize = "400"
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    cloud.mailboxes.settings.oversize = "200"
    answer = await graph.send(message())
    assert (answer.status_code, answer.content) == (200, b"")
    assert cloud.mailboxes.submitted == []


async def test_a_message_over_the_mailbox_limit_is_refused(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    cloud.mailboxes.settings.message_limit = 1000
    answer = await graph.send(message(body="x" * 1000))
    assert (answer.status_code, code_of(answer)) == (400, "ErrorMessageSizeExceeded")


async def test_missing_headers_are_added_for_the_recipients(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    await graph.send(b"To: you@example.org\r\n\r\nHi\r\n")
    (mail,) = cloud.mailboxes.submitted
    assert mail.raw == b"To: you@example.org\r\n\r\nHi\r\n"
    assert mail.delivered.startswith(b"From: Website <wp@contoso.com>\r\nMessage-ID: <")
    assert mail.message_id.encode() in mail.delivered
    assert b"\r\nDate: " in mail.delivered


async def test_line_feeds_alone_damage_quoted_printable_on_the_way(
    world: World, cloud: Sandbox
) -> None:
    graph = await world.user()
    octets = message(body="").replace(
        b"Subject", b"Content-Transfer-Encoding: quoted-printable\r\nSubject"
    )
    await graph.send((octets + b"one=\r\nline\r\n").replace(b"\r\n", b"\n"))
    await graph.send(octets + b"one=\r\nline\r\n")
    damaged, whole = cloud.mailboxes.submitted
    assert damaged.content.text == "one=\nline\n"
    assert whole.content.text == "oneline\n"


async def test_headers_that_belong_to_exchange_are_dropped(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    await graph.send(
        message("a@b.example", "X-MS-Exchange-Organization-SCL: -1", "Return-Path: <x@y>")
    )
    assert cloud.mailboxes.submitted[0].delivered == message("a@b.example")


# --- JSON ----------------------------------------------------------------------------------------

TO = [{"emailAddress": {"address": "you@example.org", "name": "You"}}]


async def test_json_becomes_a_message(world: World, cloud: Sandbox) -> None:
    graph = await world.user()
    answer = await graph.send_json(
        {
            "subject": "Grüße",
            "body": {"contentType": "HTML", "content": "<p>Hi</p>"},
            "toRecipients": TO,
            "bccRecipients": [{"emailAddress": {"address": "b@example.org"}}],
            "internetMessageId": "<json@example.org>",
            "internetMessageHeaders": [{"name": "x-job", "value": "7"}],
            "attachments": [
                {
                    "@odata.type": "#microsoft.graph.fileAttachment",
                    "name": "a.txt",
                    "contentType": "text/plain",
                    "contentBytes": "SGk=",
                }
            ],
        }
    )
    assert (answer.status_code, answer.content) == (202, b"")
    (mail,) = cloud.mailboxes.submitted
    assert (mail.via, mail.subject, mail.message_id) == ("json", "Grüße", "<json@example.org>")
    assert mail.received == ("you@example.org", "b@example.org")
    assert mail.content.html == "<p>Hi</p>"
    assert mail.content.attachments[0].content == b"Hi"
    assert b"x-job: 7\r\n" in mail.delivered
    assert b"b@example.org" not in mail.delivered
    assert mail.sender is not None
    assert mail.sender.address == "wp@contoso.com"


@pytest.mark.parametrize(("given", "saved"), [(True, True), (False, False), ("false", False)])
async def test_only_json_can_leave_no_copy_in_sent_items(
    world: World, cloud: Sandbox, given: object, saved: bool
) -> None:
    graph = await world.user()
    await graph.send_json({"toRecipients": TO}, saveToSentItems=given)
    assert cloud.mailboxes.submitted[0].saved_to_sent is saved
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    assert len(cloud.mailboxes.sent_items(user)) == saved


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "BadRequest"),
        (b"", "BadRequest"),
        (b"[]", "UnableToDeserializePostBody"),
        (b'{"Message": null}', "UnableToDeserializePostBody"),
        (b'{"message": {}, "envelope": {}}', "RequestBodyRead"),
        (b'{"message": {"subjekt": "x"}}', "RequestBodyRead"),
        (b'{"message": {"subject": 1}}', "UnableToDeserializePostBody"),
        (b'{"message": {"toRecipients": "a@b"}}', "UnableToDeserializePostBody"),
        (b'{"message": {"toRecipients": [{"address": "a@b"}]}}', "RequestBodyRead"),
        (b'{"message": {"body": {"contentType": "rtf"}}}', "RequestBodyRead"),
        (b'{"message": {"attachments": [{"name": "x"}]}}', "UnableToDeserializePostBody"),
        (b'{"message": {}, "saveToSentItems": "perhaps"}', "UnableToDeserializePostBody"),
        (b'{"message": {}}', "ErrorInvalidRecipients"),
    ],
)
async def test_json_of_another_shape_is_refused(
    world: World, cloud: Sandbox, body: bytes, code: str
) -> None:
    graph = await world.user()
    answer = await graph.http.post(
        "/me/sendMail", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert cloud.mailboxes.submitted == []


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([], "InvalidInternetMessageHeaderCollection"),
        (["x-1", "x-2", "x-3", "x-4", "x-5", "x-6"], "InvalidInternetMessageHeaderCollection"),
        (["Auto-Submitted"], "InvalidInternetMessageHeader"),
    ],
)
async def test_the_rules_for_headers_in_json(world: World, names: list[str], code: str) -> None:
    graph = await world.user()
    headers = [{"name": name, "value": "1"} for name in names]
    answer = await graph.send_json({"toRecipients": TO, "internetMessageHeaders": headers})
    assert (answer.status_code, code_of(answer)) == (400, code)


async def test_a_request_must_say_what_it_carries(world: World) -> None:
    graph = await world.user()
    answer = await graph.http.post("/me/sendMail", content=b"QQ==")
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    answer = await graph.http.post(
        "/me/sendMail", content=b"QQ==", headers={"Content-Type": "message/rfc822"}
    )
    assert (answer.status_code, code_of(answer)) == (415, "UnsupportedMediaType")
