from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sandbox.mime import Attachment, Person, fields_of, read_content, read_head
from graphrelay.sandbox.mime_compose import (
    IN_REPLY_TO,
    LIST_UNSUBSCRIBE,
    REFERENCES,
    SENSITIVITY,
    Composition,
    compose,
    taken_apart,
    with_attachment,
    with_files,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ME = Person("Website", "wp@contoso.com")
PLAIN = Composition(subject="Hi", body="Hello", to=(Person("", "a@b"),), message_id="<1@x>")


def test_text_alone_is_a_single_part() -> None:
    octets = compose(PLAIN, ME, NOW)
    assert b'Content-Type: text/plain; charset="utf-8"\r\n' in octets
    assert b"multipart" not in octets
    assert read_content(octets).text == "Hello"


def test_the_mailbox_is_the_sender_unless_another_is_given() -> None:
    assert read_head(fields_of(compose(PLAIN, ME, NOW))).sender == (ME,)
    info = Person("Info", "info@contoso.com")
    assert read_head(fields_of(compose(replace(PLAIN, sender=info), ME, NOW))).sender == (info,)


def test_properties_become_header_fields() -> None:
    octets = compose(
        replace(
            PLAIN,
            headers=(("X-Mailer", "test"),),
            properties=(
                (IN_REPLY_TO, "<a@b>"),
                (REFERENCES, "<a@b> <c@d>"),
                (LIST_UNSUBSCRIBE, "<mailto:u@v>"),
                (SENSITIVITY, "2"),
            ),
            importance="high",
            read_receipt=True,
            delivery_receipt=True,
            reply_to=(Person("R", "r@s"),),
        ),
        ME,
        NOW,
    )
    fields = {field.name: field.text for field in fields_of(octets)}
    assert fields["X-Mailer"] == "test"
    assert fields["In-Reply-To"] == "<a@b>"
    assert fields["References"] == "<a@b> <c@d>"
    assert fields["List-Unsubscribe"] == "<mailto:u@v>"
    assert fields["Sensitivity"] == "Private"
    assert fields["Importance"] == "high"
    assert fields["Reply-To"] == "R <r@s>"
    assert "Disposition-Notification-To" in fields
    assert "Return-Receipt-To" in fields
    assert fields["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"


def test_files_and_images_keep_name_type_content_and_id() -> None:
    files = (
        Attachment("Käse.png", "image/png", b"\x89PNG", "logo@x", inline=True),
        Attachment('a "quoted" name.pdf', "application/pdf", bytes(range(256)) * 9),
    )
    octets = compose(
        replace(PLAIN, body="<img src=cid:logo@x>", is_html=True, attachments=files), ME, NOW
    )
    assert read_content(octets).attachments == files
    assert read_content(octets).html == "<img src=cid:logo@x>"
    assert max(map(len, octets.split(b"\r\n"))) < 200


def test_nothing_a_client_writes_becomes_a_header_of_its_own() -> None:
    evil = "x\r\nBcc: victim@example.org"
    octets = compose(
        replace(
            PLAIN,
            subject=evil,
            to=(Person(evil, "a@b"),),
            headers=(("X-A", evil),),
            message_id="<1@x>",
            attachments=(Attachment(evil, "text/plain", b"", evil),),
        ),
        ME,
        NOW,
    )
    assert "Bcc" not in {field.name for field in fields_of(octets)}
    assert b"\r\nBcc:" not in octets


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
names = text.map(str.strip)


@given(subject=names, body=text, name=names)
def test_what_was_composed_is_read_again(subject: str, body: str, name: str) -> None:
    person = Person(" ".join(name.split()), "a@b.example")
    message = replace(PLAIN, subject=" ".join(subject.split()), body=body, to=(person,))
    again = taken_apart(compose(message, ME, NOW))
    assert again == replace(message, sender=ME)


def test_an_attachment_is_added_at_the_end() -> None:
    one, two = Attachment("1", "a/b", b""), Attachment("2", "a/b", b"xx")
    message = with_attachment(with_attachment(PLAIN, one), two)
    assert message.attachments == (one, two)
    assert message.size == len("Hello") + 2


def test_files_stand_behind_mime_that_stays_as_it_is() -> None:
    octets = b"Subject: s\r\nContent-Type: text/html\r\n\r\n<p>\r\n"
    assert with_files(octets, ()) == octets
    whole = with_files(octets, (Attachment("a.txt", "text/plain", b"1"),))
    assert b"\r\nContent-Type: text/html\r\n\r\n<p>\r\n\r\n--" in whole
    content = read_content(whole)
    assert (content.html, [one.content for one in content.attachments]) == ("<p>\n", [b"1"])
    assert read_head(fields_of(whole)).subject == "s"
