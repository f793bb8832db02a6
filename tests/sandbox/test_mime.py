import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sandbox.mime import (
    Content,
    Person,
    as_transported,
    fields_of,
    header_section,
    read_content,
    read_head,
    readable,
    resolvable,
    without_fields,
)


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_recipients_are_read_from_to_cc_and_bcc() -> None:
    head = read_head(fields_of(crlf("To: a@b.example, C <c@d.example>\nCc: e@f\nBcc: g@h\n\nx")))
    assert head.to == (Person("", "a@b.example"), Person("C", "c@d.example"))
    assert [person.address for person in head.recipients] == [
        "a@b.example",
        "c@d.example",
        "e@f",
        "g@h",
    ]


@pytest.mark.parametrize(
    ("value", "people"),
    [
        ("a@b", [("", "a@b")]),
        ("Anna Example <a@b>", [("Anna Example", "a@b")]),
        ('"Example, Anna" <a@b>', [("Example, Anna", "a@b")]),
        ("=?utf-8?q?K=C3=A4ufer=2C_Anna?= <a@b>", [("Käufer, Anna", "a@b")]),
        ("Friends: a@b, C <c@d>;", [("", "a@b"), ("C", "c@d")]),
        ("undisclosed-recipients:;", []),
        ("a@b (a comment), <c@d>", [("a comment", "a@b"), ("", "c@d")]),
        ('"odd local"@b', [("", '"odd local"@b')]),
        ("a@b,\n c@d", [("", "a@b"), ("", "c@d")]),
        ("müller@exämple.org", [("", "müller@exämple.org")]),
        ("", []),
    ],
)
def test_address_lists_are_read_as_the_rfcs_write_them(
    value: str, people: list[tuple[str, str]]
) -> None:
    head = read_head(fields_of(crlf(f"To: {value}\n\n")))
    assert [(person.name, person.address) for person in head.to] == people


def test_two_to_headers_are_both_read() -> None:
    head = read_head(fields_of(b"To: a@b\r\nTo: c@d\r\n\r\n"))
    assert [person.address for person in head.to] == ["a@b", "c@d"]


def test_lines_that_are_no_header_field_are_passed_over() -> None:
    octets = b"From nobody\r\nTo: a@b\r\nno colon here\r\nCc : c@d\r\n\r\nBcc: not@header\r\n"
    assert [field.name for field in fields_of(octets)] == ["To", "Cc"]


def test_a_message_of_bare_line_feeds_is_read_too() -> None:
    head = read_head(fields_of(b"To: a@b\nSubject: one\n two\n\nSubject: body\n"))
    assert (head.subject, head.to[0].address) == ("one two", "a@b")


def test_a_message_may_be_a_header_section_alone() -> None:
    assert read_head(fields_of(b"To: a@b\r\nSubject: s")).subject == "s"
    assert header_section(b"To: a@b\r\n\r\nbody") == b"To: a@b\r\n"
    assert header_section(b"") == b""


def test_subjects_are_decoded_and_broken_ones_stay_as_they_are() -> None:
    assert readable("=?utf-8?b?R3LDvMOfZQ==?= x") == "Grüße x"
    assert readable("=?latin-1?q?=E9?=") == "é"
    assert readable("=?no-such-charset?q?=E9?=") == "é"
    assert readable("=?utf-8?b?A?=") == "=?utf-8?b?A?="


def test_fields_are_cut_out_by_the_octet() -> None:
    octets = crlf("To: a@b\nBCC: x@y,\n\tz@w\nSubject: s\nBcc: last@one\n\nBcc: stays\n")
    assert without_fields(octets, fields_of(octets), lambda name: name == "bcc") == crlf(
        "To: a@b\nSubject: s\n\nBcc: stays\n"
    )


def test_a_message_without_unwanted_fields_is_the_very_same() -> None:
    octets = b"To: a@b\r\n\r\n" + b"x" * 100
    assert without_fields(octets, fields_of(octets), lambda name: name == "bcc") is octets


@given(st.lists(st.sampled_from([b"To: a@b", b"Bcc: c@d", b"X-A: 1", b" fold", b"?", b""])))
def test_cutting_removes_the_fields_and_nothing_else(lines: list[bytes]) -> None:
    octets = b"".join(line + b"\r\n" for line in lines) + b"\r\nBcc: body"
    rest = without_fields(octets, fields_of(octets), lambda name: name == "bcc")
    assert not [field for field in fields_of(rest) if field.name == "Bcc"]
    kept = [field for field in fields_of(octets) if field.name != "Bcc"]
    assert [field.value for field in fields_of(rest)] == [field.value for field in kept]
    assert rest.endswith(b"\r\nBcc: body")


@given(st.binary(max_size=300))
def test_reading_never_fails(octets: bytes) -> None:
    fields = fields_of(octets)
    read_head(fields)
    read_content(octets)
    assert all(octets[one.start : one.end] for one in fields)


PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/plain; charset=\xff\r\n",
    b"Content-Type: text/html; charset=utf-16\r\n",
    b"Content-Type: x; name*=utf-9''%ff\r\n",
    b'Content-Disposition: attachment; filename="=?utf-8?b?A?="\r\n',
    b"Content-Disposition: inline; filename*0*=a''%; filename*1=\xe9\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-ID: \xff\r\n",
    b"\r\n",
    b"\r\n--b\r\n",
    b"--b--\r\n",
    b"=== \xff\xfe\r\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_broken_structure_is_shown_and_never_fails(pieces: list[bytes]) -> None:
    read_content(b"".join(pieces))


def test_bare_line_feeds_damage_quoted_printable() -> None:
    part = "Content-Transfer-Encoding: quoted-printable\n\nlong=\nline\n"
    assert as_transported(crlf(part)) == crlf(part)
    assert b"long=3D\r\nline\r\n" in as_transported(part.encode())


def test_bare_line_feeds_without_quoted_printable_only_become_canonical() -> None:
    assert as_transported(b"To: a@b\n\nx=\ny\r\n") == b"To: a@b\r\n\r\nx=\r\ny\r\n"


def test_what_people_can_be_sent_mail_at() -> None:
    for good in ("a@b", '"a b"@c.example', "ü@ö.example", "a+b@c"):
        assert resolvable(good), good
    for bad in ("a", "a@", "@b", "a b@c", "a@b;c@d", "a@b c", "", "<a@b>"):
        assert not resolvable(bad), bad


MIXED = crlf(
    """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--a
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+aGk8L2I+
--a--
--m
Content-Type: image/png
Content-ID: <logo@x>
Content-Disposition: inline
Content-Transfer-Encoding: base64

iVBORw==
--m
Content-Type: application/pdf; name*=utf-8''%C3%BC.pdf
Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf
Content-Transfer-Encoding: base64

JVBERg==
--m
Content-Type: message/rfc822

Subject: inner

inner body
--m--
"""
)


def test_a_message_is_taken_apart_as_a_reader_shows_it() -> None:
    content = read_content(MIXED)
    assert (content.text, content.html) == ("Grüße", "<b>hi</b>")
    logo, pdf, inner = content.attachments
    assert (logo.content_id, logo.inline, logo.content) == ("logo@x", True, b"\x89PNG")
    assert (pdf.name, pdf.content, pdf.inline) == ("ü.pdf", b"%PDF", False)
    assert inner.content_type == "message/rfc822"
    assert b"inner body" in inner.content


def test_text_in_an_unknown_charset_is_shown_all_the_same() -> None:
    octets = b"Content-Type: text/plain; charset=x-nonsense\r\n\r\n\xe9\r\n"
    assert read_content(octets).text == "é\n"


def test_a_text_file_is_a_file_and_not_the_text() -> None:
    octets = crlf("Content-Type: text/plain; name=a.txt\n\nin the file\n")
    content = read_content(octets)
    assert (content.text, content.attachments[0].name) == ("", "a.txt")


def test_nothing_is_empty_content() -> None:
    assert read_content(b"") == Content("", "", ())
