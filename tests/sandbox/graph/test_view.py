from datetime import UTC, datetime

from graphrelay.sandbox.directory import contoso
from graphrelay.sandbox.graph.view import attachment_json, known_property, message_json
from graphrelay.sandbox.mailbox_items import Draft, Folder, Item
from graphrelay.sandbox.mime import Attachment, Person
from graphrelay.sandbox.mime_compose import Composition

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WP = contoso().users[0]


def item(content: Composition) -> Item:
    return Item(
        serial=1,
        folder=Folder.DRAFTS,
        content=Draft(content=content, message_id="<1@x>"),
        created_at=NOW,
        modified_at=NOW,
    )


def test_the_mailbox_is_the_sender_of_a_draft_without_one() -> None:
    shown = message_json(item(Composition()), WP, immutable=False, select=set())
    assert shown["from"] == {"emailAddress": {"name": "Website", "address": "wp@contoso.com"}}
    assert (shown["createdDateTime"], shown["isDraft"]) == ("2026-11-23T12:00:00Z", True)


def test_only_what_was_selected_is_shown_besides_the_id() -> None:
    draft = item(Composition(to=(Person("", "a@b"),)))
    shown = message_json(draft, WP, immutable=True, select={"toRecipients"})
    assert shown.keys() == {"@odata.etag", "id", "toRecipients"}
    assert shown["id"] == draft.id(immutable=True)
    assert shown["toRecipients"] == [{"emailAddress": {"name": "a@b", "address": "a@b"}}]


def test_the_preview_of_html_is_text() -> None:
    draft = item(Composition(body="<p>a &amp; b</p>\n<p>" + "x" * 300, is_html=True))
    shown = message_json(draft, WP, immutable=True, select={"bodyPreview"})
    assert shown["bodyPreview"].startswith("a & b xxx")
    assert len(shown["bodyPreview"]) == 255


def test_an_attachment_shows_its_content_in_base64() -> None:
    shown = attachment_json(Attachment("a", "b/c", b"Hi", "cid", inline=True), 0)
    assert (shown["contentBytes"], shown["size"], shown["isInline"]) == ("SGk=", 2, True)
    assert "contentBytes" not in attachment_json(Attachment("a", "b/c", b""), 0, with_content=False)


def test_properties_are_known_by_their_exact_names() -> None:
    assert known_property("internetMessageId")
    assert not known_property("internetmessageid")
