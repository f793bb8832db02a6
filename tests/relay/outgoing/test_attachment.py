"""The file name of a part, and whether it is inline."""

import pytest

from tests.relay.outgoing.test_body_parts import NESTED, TEXT, letter, multipart, names

EMOJI = "👩\u200d💻"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (b"Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
        (
            b'Content-Disposition: attachment; filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="',
            "Grüße.pdf",
        ),
        (b'Content-Disposition: attachment; filename="C:\\\\temp\\\\..\\\\scan.pdf"', "scan.pdf"),
        (b"Content-Disposition: attachment; filename=../../etc/passwd", "passwd"),
        (b'Content-Disposition: attachment; filename="a\0b<c>.pdf"', "a_b_c_.pdf"),
        (b"Content-Disposition: attachment; filename=" + b"x" * 500 + b".pdf", "x" * 180 + ".pdf"),
        (b'Content-Disposition: attachment; filename="..."', "attachment-1.bin"),
        (rb'Content-Disposition: attachment; filename="C:\TEMP\scan.pdf"', "scan.pdf"),
        (b'Content-Disposition: attachment; filename="a\r\n\tb.pdf"', "a b.pdf"),
        (
            'Content-Disposition: attachment; filename="👩\u200d💻　x.pdf"'.encode(),
            "👩\u200d💻　x.pdf",
        ),
        ('Content-Disposition: attachment; filename="a\u202efdp.exe"'.encode(), "a_fdp.exe"),
        (b"Content-Type: application/x-nothing-known", "attachment-1.bin"),
        (b"Content-Type: application/zip", "attachment-1.zip"),
    ],
)
def test_names_survive_and_do_no_harm(fields: bytes, name: str) -> None:
    part = fields if b"Content-Type" in fields else b"Content-Type: x/y\r\n" + fields
    found = letter(multipart("mixed", TEXT, part + b"\r\n\r\nx"))
    assert found.attachments[0].name == name


def test_a_nested_message_is_a_file_with_its_subject_as_name() -> None:
    found = letter(multipart("mixed", TEXT, NESTED))
    assert names(found) == [("y.eml", "application/octet-stream", False)]
    assert b"".join(found.attachments[0].content.pieces()).endswith(b"\r\n\r\nin")
