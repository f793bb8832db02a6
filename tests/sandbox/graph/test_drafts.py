import base64
from typing import Any, Literal

import pytest

from graphrelay.sandbox.directory import User
from tests.sandbox.world import Graph, World, code_of, message

SCOPES = "Mail.ReadWrite Mail.Send"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
TO = [{"emailAddress": {"address": "you@example.org", "name": "You"}}]
FILE = {
    "@odata.type": "#microsoft.graph.fileAttachment",
    "name": "a.txt",
    "contentType": "text/plain",
    "contentBytes": "SGk=",
}


def wp(world: World) -> User:
    found = world.cloud.directory.user("wp@contoso.com")
    assert found is not None
    return found


async def mime_draft(graph: Graph, octets: bytes, **headers: str) -> dict[str, Any]:
    answer = await graph.http.post(
        "/me/messages",
        content=base64.b64encode(octets),
        headers={"Content-Type": "text/plain", **headers},
    )
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


async def json_draft(graph: Graph, **message: Any) -> dict[str, Any]:
    answer = await graph.http.post("/me/messages", json={"toRecipients": TO, **message})
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


async def test_a_mime_draft_is_shown_as_a_message_and_sent_octet_for_octet(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    octets = message("you@example.org", "Bcc: b@example.org", "X-Job: 7")
    draft = await mime_draft(graph, octets)
    assert draft["isDraft"] is True
    assert draft["internetMessageId"] == "<1@example.org>"
    assert draft["toRecipients"][0]["emailAddress"]["address"] == "you@example.org"
    assert draft["body"] == {"contentType": "text", "content": "Hello\n"}
    assert draft["isDeliveryReceiptRequested"] is None
    assert world.cloud.mailboxes.submitted == []

    answer = await graph.http.post(f"/me/messages/{draft['id']}/send")
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["content-length"] == "0"
    (mail,) = world.cloud.mailboxes.submitted
    assert (mail.via, mail.raw, mail.saved_to_sent) == ("draft", octets, True)
    assert mail.received == ("you@example.org", "b@example.org")


async def test_a_json_draft_is_changed_given_files_and_sent(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await json_draft(graph, subject="before")
    path = f"/me/messages/{draft['id']}"
    changed = await graph.http.patch(path, json={"subject": "after"})
    assert (changed.status_code, changed.json()["subject"]) == (200, "after")
    assert changed.json()["toRecipients"] == draft["toRecipients"]
    added = await graph.http.post(f"{path}/attachments", json=FILE)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["size"]) == ("a.txt", 2)
    assert (await graph.http.post(f"{path}/send")).status_code == 202
    (mail,) = world.cloud.mailboxes.submitted
    assert (mail.subject, mail.content.attachments[0].content) == ("after", b"Hi")
    assert mail.message_id == draft["internetMessageId"]


async def test_default_ids_die_when_the_message_is_sent_and_immutable_ones_live(
    world: World,
) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await mime_draft(graph, message())
    kept = (await graph.http.get(f"/me/messages/{draft['id']}", headers=IMMUTABLE)).json()["id"]
    assert kept != draft["id"]
    await graph.http.post(f"/me/messages/{draft['id']}/send")

    gone = await graph.http.get(f"/me/messages/{draft['id']}")
    assert (gone.status_code, code_of(gone)) == (404, "ErrorItemNotFound")
    sent = (await graph.http.get(f"/me/messages/{kept}", headers=IMMUTABLE)).json()
    assert (sent["id"], sent["isDraft"]) == (kept, False)
    assert sent["parentFolderId"] != draft["parentFolderId"]


async def test_a_message_is_sent_once_only(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await mime_draft(graph, message(), **IMMUTABLE)
    path = f"/me/messages/{draft['id']}/send"
    assert (await graph.http.post(path)).status_code == 202
    again = await graph.http.post(path)
    assert (again.status_code, code_of(again)) == (404, "ErrorItemNotFound")
    assert again.json()["error"]["message"] == ("The specified object was not found in the store.")
    assert len(world.cloud.mailboxes.submitted) == 1


async def test_sending_needs_mail_send_also_for_a_draft(world: World) -> None:
    graph = await world.user(scopes="Mail.ReadWrite")
    draft = await mime_draft(graph, message())
    answer = await graph.http.post(f"/me/messages/{draft['id']}/send")
    assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")


async def test_the_checks_of_sending_hold_for_drafts_and_leave_the_draft(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await mime_draft(graph, message(""))
    answer = await graph.http.post(f"/me/messages/{draft['id']}/send")
    assert code_of(answer) == "ErrorInvalidRecipients"
    draft = await mime_draft(graph, message(sender="alice@contoso.com"))
    answer = await graph.http.post(f"/me/messages/{draft['id']}/send")
    assert code_of(answer) == "ErrorSendAsDenied"
    assert len(world.cloud.mailboxes.drafts(wp(world))) == 2


async def test_an_edited_mime_draft_is_taken_apart_and_loses_its_headers(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await mime_draft(graph, message("you@example.org", "X-Job: 7"))
    await graph.http.post(f"/me/messages/{draft['id']}/attachments", json=FILE)
    await graph.http.post(f"/me/messages/{draft['id']}/send")
    (mail,) = world.cloud.mailboxes.submitted
    assert b"X-Job" not in mail.raw
    assert (mail.subject, mail.message_id) == ("Test", "<1@example.org>")
    assert mail.content.attachments[0].name == "a.txt"


@pytest.mark.parametrize(("habit", "sent"), [("kept", True), ("left-out", False)])
async def test_what_becomes_of_a_file_for_a_mime_draft_is_a_setting(
    world: World, habit: Literal["kept", "left-out"], sent: bool
) -> None:
    world.cloud.mailboxes.settings.mime_draft_files = habit
    graph = await world.user(scopes=SCOPES)
    octets = message("you@example.org", "X-Job: 7")
    draft = await mime_draft(graph, octets)
    path = f"/me/messages/{draft['id']}"
    await graph.http.post(f"{path}/attachments", json=FILE)
    assert len((await graph.http.get(f"{path}/attachments")).json()["value"]) == 1
    shown = (await graph.http.get(f"{path}/$value")).content
    await graph.http.post(f"{path}/send")
    (mail,) = world.cloud.mailboxes.submitted
    assert mail.raw == shown
    assert b"X-Job: 7\r\n" in mail.raw
    assert [one.name for one in mail.content.attachments] == ["a.txt"] * sent
    assert mail.raw.endswith(octets.partition(b"\r\n\r\n")[2]) is not sent


async def test_a_deleted_draft_is_gone(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await json_draft(graph)
    assert (await graph.http.delete(f"/me/messages/{draft['id']}")).status_code == 204
    assert (await graph.http.get(f"/me/messages/{draft['id']}")).status_code == 404
    assert world.cloud.mailboxes.drafts(wp(world)) == []


async def test_an_id_that_is_none_is_malformed_and_another_users_is_not_found(
    world: World,
) -> None:
    graph = await world.user(scopes=SCOPES)
    answer = await graph.http.get("/me/messages/nonsense")
    assert (answer.status_code, code_of(answer)) == (400, "ErrorInvalidIdMalformed")
    draft = await json_draft(graph)
    other = await world.user("alice@contoso.com", SCOPES)
    answer = await other.http.get(f"/me/messages/{draft['id']}")
    assert (answer.status_code, code_of(answer)) == (404, "ErrorItemNotFound")


async def test_the_raw_message_can_be_read(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    octets = message("alice@contoso.com", "Bcc: b@example.org")
    draft = await mime_draft(graph, octets, **IMMUTABLE)
    path = f"/me/messages/{draft['id']}/$value"
    assert (await graph.http.get(path)).content == octets
    await graph.http.post(f"/me/messages/{draft['id']}/send")
    assert (await graph.http.get(path)).content == octets
    alice = await world.user("alice@contoso.com", "Mail.Read")
    (arrived,) = (await alice.http.get("/me/mailFolders/inbox/messages")).json()["value"]
    received = (await alice.http.get(f"/me/messages/{arrived['id']}/$value")).content
    assert received == octets.replace(b"Bcc: b@example.org\r\n", b"")


async def test_attachments_are_listed_read_and_deleted(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await json_draft(graph, attachments=[FILE, {**FILE, "name": "b.txt"}])
    path = f"/me/messages/{draft['id']}/attachments"
    listed = (await graph.http.get(path, params={"$select": "id,name"})).json()["value"]
    assert [one["name"] for one in listed] == ["a.txt", "b.txt"]
    assert "contentBytes" not in listed[0]
    one = (await graph.http.get(f"{path}/{listed[1]['id']}")).json()
    assert (one["name"], one["contentBytes"]) == ("b.txt", "SGk=")
    assert (await graph.http.delete(f"{path}/{listed[0]['id']}")).status_code == 204
    left = (await graph.http.get(path)).json()["value"]
    assert [one["name"] for one in left] == ["b.txt"]
    assert (await graph.http.get(f"{path}/nonsense")).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contentBytes": "?"}, "RequestBodyRead"),
        ({"name": ""}, "ErrorInvalidPropertySet"),
        ({"@odata.type": "#microsoft.graph.itemAttachment"}, "NotImplemented"),
        ({"@odata.type": None}, "UnableToDeserializePostBody"),
        ({"bytes": "SGk="}, "RequestBodyRead"),
    ],
)
async def test_an_attachment_of_another_shape_is_refused(
    world: World, change: dict[str, Any], code: str
) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await json_draft(graph)
    answer = await graph.http.post(
        f"/me/messages/{draft['id']}/attachments", json={**FILE, **change}
    )
    assert code_of(answer) == code


async def test_a_message_that_grows_over_the_limit_is_refused(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    world.cloud.mailboxes.settings.message_limit = 1000
    draft = await json_draft(graph)
    file = {**FILE, "contentBytes": base64.b64encode(b"x" * 1001).decode()}
    answer = await graph.http.post(f"/me/messages/{draft['id']}/attachments", json=file)
    assert (answer.status_code, code_of(answer)) == (400, "ErrorMessageSizeExceeded")


async def test_sent_mail_cannot_be_changed(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    draft = await json_draft(graph)
    kept = (await graph.http.get(f"/me/messages/{draft['id']}", headers=IMMUTABLE)).json()["id"]
    await graph.http.post(f"/me/messages/{kept}/send")
    answer = await graph.http.patch(f"/me/messages/{kept}", json={"subject": "x"})
    assert (answer.status_code, code_of(answer)) == (400, "ErrorInvalidPropertySet")
    assert (await graph.http.patch(f"/me/messages/{kept}", json={"isRead": True})).is_success
    answer = await graph.http.post(f"/me/messages/{kept}/attachments", json=FILE)
    assert answer.status_code == 404


async def test_a_draft_is_deleted_for_good_where_that_exists(world: World) -> None:
    graph = await world.user(scopes="Mail.ReadWrite")
    draft = (await graph.http.post("/me/messages", json={"subject": "x"})).json()
    path = f"/me/messages/{draft['id']}"
    world.cloud.mailboxes.settings.permanent_delete = False
    assert (await graph.http.post(f"{path}/permanentDelete")).status_code == 400
    world.cloud.mailboxes.settings.permanent_delete = True
    assert (await graph.http.post(f"{path}/permanentDelete")).status_code == 204
    assert (await graph.http.get(path)).status_code == 404
