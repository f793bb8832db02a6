"""A message split into one body and attachments."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest

from graphrelay.mime import entity, header
from graphrelay.model import InlineBody
from graphrelay.relay.outgoing import body_parts
from graphrelay.relay.outgoing.body_parts import MessageBody, Sealed


def taken_apart(message: bytes | EmailMessage) -> MessageBody | Sealed:
    octets = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
    section = header.read(octets)
    assert section
    return body_parts.take_apart(
        entity.read(section, InlineBody(octets), section.body_start, len(octets))
    )


def letter(message: bytes | EmailMessage) -> MessageBody:
    found = taken_apart(message)
    assert isinstance(found, MessageBody), found
    return found


def names(found: MessageBody) -> list[tuple[str, str, bool]]:
    return [(one.name, one.content_type, one.inline) for one in found.attachments]


def multipart(kind: str, *parts: bytes) -> bytes:
    mark = b"=" + kind.encode()
    inside = b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts)
    head = b"Content-Type: multipart/" + kind.encode() + b'; boundary="' + mark + b'"\r\n\r\n'
    return head + inside + b"--" + mark + b"--\r\n"


TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe"
HTML = b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>Gr\xfc\xdfe</p>"
SHOWING = HTML.replace(b"</p>", b"<img src='cid:logo@x'></p>")
IMAGE = b"Content-Type: image/png\r\nContent-ID: <logo@x>\r\n\r\n\x89PNG"
FILE = b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF"
NESTED = b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?Br=C3=BCcke=3A_x/y?=\r\n\r\nin"
INVITE = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"


def test_plain_text_is_the_body() -> None:
    assert letter(TEXT) == MessageBody("Grüße", False, (), ())
    assert letter(b"\r\nno header") == MessageBody("no header", False, (), ())


def test_of_alternatives_html_is_the_body() -> None:
    found = letter(multipart("alternative", TEXT, HTML))
    assert (found.text, found.is_html) == ("<p>Grüße</p>", True)
    assert found.lost == (
        "the alternative in text/plain",
        "the order and nesting of the parts: multipart/alternative (text/plain, text/html)",
    )


def test_images_of_the_html_are_inline_and_files_are_not() -> None:
    related = multipart("related", SHOWING, IMAGE)
    found = letter(multipart("mixed", multipart("alternative", TEXT, related), FILE))
    assert found.is_html
    assert names(found) == [
        ("attachment-1.png", "image/png", True),
        ("a.pdf", "application/pdf", False),
    ]
    assert found.attachments[0].content_id == "logo@x"
    assert b"".join(found.attachments[1].content.pieces()) == b"%PDF"


def test_the_start_parameter_names_the_root_of_related_parts() -> None:
    html = HTML.replace(b"\r\n\r\n", b"\r\nContent-ID: <root@x>\r\n\r\n", 1)
    message = multipart("related", IMAGE, html).replace(b"; ", b'; start="<root@x>"; ', 1)
    found = letter(message)
    assert (found.is_html, len(found.attachments)) == (True, 1)


def test_text_that_has_a_name_is_a_file() -> None:
    named = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nlog"
    found = letter(multipart("mixed", named, TEXT))
    assert found.text == "Grüße"
    assert names(found) == [("attachment-1.txt", "text/plain", False)]


def test_a_second_text_continues_the_first() -> None:
    assert letter(multipart("mixed", TEXT, FILE, TEXT)).text == "Grüße\r\nGrüße"
    found = letter(multipart("mixed", HTML, TEXT))
    shown = '<pre style="white-space:pre-wrap">Grüße</pre>'
    assert (found.text, found.is_html, names(found)) == (f"<p>Grüße</p>{shown}", True, [])
    assert letter(multipart("mixed", TEXT, HTML)).text == f"{shown}<p>Grüße</p>"


def test_an_invitation_is_a_file_and_that_is_reported() -> None:
    found = letter(multipart("alternative", TEXT, HTML, INVITE))
    assert names(found) == [("attachment-1.ics", "text/calendar", False)]
    assert "the invitation is an attachment, not a meeting request" in found.lost
    assert found.invites


def test_a_calendar_that_invites_nobody_is_a_file_like_others() -> None:
    for calendar in (
        INVITE.replace(b"; method=REQUEST", b""),
        INVITE.replace(b"\r\n\r\n", b"\r\nContent-Disposition: attachment\r\n\r\n"),
    ):
        found = letter(multipart("mixed", TEXT, calendar))
        assert names(found) == [("attachment-1.ics", "text/calendar", False)]
        assert not found.invites
        assert "the invitation is an attachment, not a meeting request" not in found.lost
    assert letter(INVITE).invites


LOG = b"Content-Type: text/plain; name=backup.log\r\n%s\r\nall well"
ATTACHED = b"Content-Disposition: attachment\r\n"


def test_a_file_among_alternatives_is_attached() -> None:
    for message in (
        multipart("alternative", TEXT, HTML, LOG % ATTACHED),
        multipart("alternative", multipart("mixed", TEXT, LOG % ATTACHED), HTML),
    ):
        found = letter(message)
        assert found.text == "<p>Grüße</p>"
        assert names(found) == [("backup.log", "text/plain", False)]
        assert "the alternative in text/plain" in found.lost


def test_an_alternative_that_only_has_a_name_is_still_one() -> None:
    named = HTML.replace(b"text/html;", b"text/html; name=mail.html;")
    found = letter(multipart("alternative", TEXT, named))
    assert (found.text, found.attachments) == ("<p>Grüße</p>", ())
    assert "the name 'mail.html' of a text that is in the body" in found.lost


def test_a_boundary_that_is_folded_within_its_quotes_is_found() -> None:
    message = b'Content-Type: multipart/mixed; boundary="=_Next\r\n Part"\r\n\r\n'
    for part in (TEXT, FILE):
        message += b"--=_Next Part\r\n" + part + b"\r\n"
    found = letter(message + b"--=_Next Part--\r\n")
    assert (found.text, names(found)) == ("Grüße", [("a.pdf", "application/pdf", False)])


@pytest.mark.parametrize("disposition", [b"attachment", b"inline"])
def test_a_file_that_no_html_names_is_not_inline(disposition: bytes) -> None:
    file = b"Content-ID: <f@x>\r\nContent-Disposition: " + disposition + b"\r\n" + FILE
    found = letter(multipart("related", HTML, file))
    assert names(found) == [("a.pdf", "application/pdf", False)]
    assert names(letter(multipart("mixed", TEXT, file))) == names(found)


def test_a_content_id_may_be_escaped_in_the_url() -> None:
    image = IMAGE.replace(b"logo@x", b"a+b c@x")
    html = SHOWING.replace(b"logo@x", b"a%2Bb%20c@x")
    assert names(letter(multipart("related", html, image))) == [
        ("attachment-1.png", "image/png", True)
    ]


def test_html_without_a_charset_is_read_by_its_meta() -> None:
    russian = "<meta charset=windows-1251><p>Привет</p>"
    found = letter(b"Content-Type: text/html\r\n\r\n" + russian.encode("cp1251"))
    assert found.text == russian


@pytest.mark.parametrize(
    "fields",
    [b"Content-Type: text/plain; name=note.txt", b"Content-Type: text/html; name=note.html"],
)
def test_a_message_of_one_text_with_a_name_is_its_text(fields: bytes) -> None:
    message = fields + b"\r\n\r\nhello"
    found = letter(message)
    assert (found.text, found.attachments) == ("hello", ())
    assert "the name 'note." in found.lost[0]
    assert letter(multipart("mixed", message)).text == "hello"


def test_a_message_of_one_attached_text_is_a_file() -> None:
    found = letter(LOG % ATTACHED)
    assert (found.text, names(found)) == ("", [("backup.log", "text/plain", False)])


@pytest.mark.parametrize("empty", [b"", b"<html><body>&nbsp;<br></body></html>", b"<!-- x -->"])
def test_of_alternatives_whose_html_says_nothing_the_text_is_the_body(empty: bytes) -> None:
    html = b"Content-Type: text/html\r\n\r\n" + empty
    found = letter(multipart("alternative", TEXT, html))
    assert (found.text, found.is_html) == ("Grüße", False)
    assert "the alternative in text/html" in found.lost


def test_html_that_shows_only_an_image_says_something() -> None:
    html = b"Content-Type: text/html\r\n\r\n<img src='cid:logo@x'>"
    assert letter(multipart("alternative", TEXT, multipart("related", html, IMAGE))).is_html


def test_all_html_of_an_alternative_is_in_the_body_in_order() -> None:
    first, second = (
        HTML.replace(b"<p>", b"<html><body><p>%d " % number) + b"</body></html>"
        for number in (1, 2)
    )
    found = letter(multipart("alternative", TEXT, multipart("mixed", first, FILE, second)))
    assert found.text == "<html><body><p>1 Grüße</p><p>2 Grüße</p></body></html>"
    assert names(found) == [("a.pdf", "application/pdf", False)]


def test_what_a_digest_holds_are_messages() -> None:
    digest = multipart("digest", b"\r\nSubject: one\r\n\r\n1")
    found = letter(multipart("mixed", TEXT, digest))
    assert names(found) == [("one.eml", "application/octet-stream", False)]


@pytest.mark.parametrize("kind", [b"x-amp-html", b"enriched", b"watch-html"])
def test_an_alternative_in_another_text_is_dropped_and_reported(kind: bytes) -> None:
    other = b"Content-Type: text/" + kind + b"\r\n\r\n<x>"
    found = letter(multipart("alternative", TEXT, other, HTML))
    assert (found.text, found.attachments) == ("<p>Grüße</p>", ())
    assert f"the alternative in text/{kind.decode()}" in found.lost


def test_what_exchange_cannot_hold_is_replaced_and_reported() -> None:
    found = letter(b"\r\nred: \x1b[31mno\x1b[0m\0\tend\r\n")
    assert found.text == "red: \ufffd[31mno\ufffd[0m\ufffd\tend\r\n"
    assert found.lost == ("3 control characters of the text",)


@pytest.mark.parametrize(
    "message",
    [
        multipart("signed", TEXT, b"Content-Type: application/pkcs7-signature\r\n\r\nMII"),
        multipart("mixed", multipart("signed", TEXT, b"\r\n"), TEXT),
        multipart("encrypted", b"\r\n", b"\r\n"),
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMII",
        b"Content-Type: application/x-pkcs7-mime\r\n\r\nMII",
    ],
)
def test_what_is_signed_or_encrypted_is_never_taken_apart(message: bytes) -> None:
    found = taken_apart(message)
    assert isinstance(found, Sealed)
    assert "signed" in found.reason or "encrypted" in found.reason


def test_a_signed_message_inside_of_another_stays_whole() -> None:
    signed = b"Content-Type: message/rfc822\r\n\r\n" + multipart("signed", TEXT, b"\r\n")
    assert len(letter(multipart("mixed", TEXT, signed)).attachments) == 1


def test_a_text_too_long_for_a_body_is_attached() -> None:
    found = letter(b"Content-Type: text/html\r\n\r\n" + b"x" * (body_parts.LONGEST_BODY + 1))
    assert (found.text, names(found)) == ("", [("attachment-1.html", "text/html", False)])
    assert found.lost == ("the text is too long for a body and is attached",)


def test_an_unknown_transfer_encoding_is_reported() -> None:
    part = FILE.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n")
    assert "'x-uuencode' is unknown" in letter(multipart("mixed", TEXT, part)).lost[0]


@pytest.mark.parametrize(
    ("body", "delsp", "text"),
    [
        ("one \r\ntwo\r\nthree", "", "one two\r\nthree"),
        ("one \r\ntwo", "; delsp=yes", "onetwo"),
        ("> a \r\n> b\r\nc", "", "> a b\r\nc"),
        ("a \r\n> b", "", "a \r\n> b"),
        ("a\r\n-- \r\nsignature", "", "a\r\n-- \r\nsignature"),
        (" >not a quote", "", ">not a quote"),
    ],
)
def test_flowed_text_is_joined(body: str, delsp: str, text: str) -> None:
    head = f"Content-Type: text/plain; format=flowed{delsp}\r\n\r\n"
    assert letter((head + body).encode()).text == text


def test_what_pythons_email_package_writes_is_taken_apart() -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße <img src='cid:a'></p>", subtype="html")
    html = message.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(b"\x89PNG" * 1000, "image", "png", cid="<a>")
    message.add_attachment(b"%PDF" * 1000, maintype="application", subtype="pdf", filename="ä.pdf")
    found = letter(message)
    assert found.text.startswith("<p>Grüße")
    assert names(found) == [
        ("attachment-1.png", "image/png", True),
        ("ä.pdf", "application/pdf", False),
    ]
    assert [one.content.size for one in found.attachments] == [4000, 4000]
