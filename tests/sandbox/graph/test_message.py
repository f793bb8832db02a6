import pytest

from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.message import attachment, boolean, composition
from graphrelay.sandbox.mime import Person
from graphrelay.sandbox.mime_compose import IN_REPLY_TO, Composition


def test_every_property_finds_its_place() -> None:
    someone = {"emailAddress": {"name": "A", "address": "a@b"}}
    made = composition(
        {
            "@odata.type": "#microsoft.graph.message",
            "subject": "S",
            "body": {"contentType": "html", "content": "<p>"},
            "from": someone,
            "sender": someone,
            "toRecipients": [someone],
            "ccRecipients": [someone],
            "bccRecipients": [someone],
            "replyTo": [someone],
            "importance": "High",
            "internetMessageId": "<1@x>",
            "internetMessageHeaders": [{"name": "X-A", "value": "1"}],
            "singleValueExtendedProperties": [{"id": "String 0x1042", "value": "<0@x>"}],
            "isReadReceiptRequested": True,
            "isDeliveryReceiptRequested": True,
            "attachments": [],
        }
    )
    people = (Person("A", "a@b"),)
    assert made == Composition(
        subject="S",
        body="<p>",
        is_html=True,
        sender=people[0],
        to=people,
        cc=people,
        bcc=people,
        reply_to=people,
        headers=(("X-A", "1"),),
        properties=((IN_REPLY_TO, "<0@x>"),),
        importance="high",
        message_id="<1@x>",
        read_receipt=True,
        delivery_receipt=True,
    )


def test_a_change_leaves_the_rest() -> None:
    start = Composition(subject="S", body="B")
    assert composition({"subject": "T"}, start) == Composition(subject="T", body="B")


def test_property_tags_are_compared_without_leading_zeros() -> None:
    made = composition({"singleValueExtendedProperties": [{"id": "Integer 0x0036", "value": "2"}]})
    assert made.properties == (("Integer 0x36", "2"),)


@pytest.mark.parametrize("identity", ["0x1042", "String 1042", "", "String {x} Name y"])
def test_a_property_without_a_good_id_is_refused(identity: str) -> None:
    with pytest.raises(GraphError) as refused:
        composition({"singleValueExtendedProperties": [{"id": identity, "value": "x"}]})
    assert refused.value.code == "ErrorInvalidPropertySet"


def test_an_attachment_without_a_type_is_octets() -> None:
    one = attachment(
        {"@odata.type": "#microsoft.graph.fileAttachment", "name": "x", "contentId": "<c@d>"}
    )
    assert (one.content_type, one.content, one.content_id) == (
        "application/octet-stream",
        b"",
        "c@d",
    )


def test_booleans_may_be_strings_where_the_documents_write_them_so() -> None:
    assert [boolean(value) for value in (True, False, "True", "false")] == [
        True,
        False,
        True,
        False,
    ]
    with pytest.raises(GraphError):
        boolean(1)
