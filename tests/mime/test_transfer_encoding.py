"""Contents, decoded as they are read."""

import base64
import quopri
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import transfer_encoding
from graphrelay.mime.transfer_encoding import Content
from graphrelay.model import InlineBody
from graphrelay.spool.sqlite.files.bodies import FileBody


def content(octets: bytes, encoding: str) -> Content:
    return Content(InlineBody(octets), 0, len(octets), encoding)


def decoded(octets: bytes, encoding: str) -> bytes:
    return b"".join(content(octets, encoding).pieces())


@given(st.binary(max_size=300), st.integers(1, 7))
def test_base64_is_decoded_at_any_split(octets: bytes, piece: int) -> None:
    encoded = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    before, transfer_encoding.PIECE = transfer_encoding.PIECE, piece
    try:
        assert decoded(encoded, "base64") == octets
        assert content(encoded, "base64").size == len(octets)
    finally:
        transfer_encoding.PIECE = before


@given(st.binary(max_size=300), st.integers(1, 7))
def test_quoted_printable_is_decoded_at_any_split(octets: bytes, piece: int) -> None:
    encoded = quopri.encodestring(octets.replace(b"\r", b"").replace(b"\n", b"")) + b"  \r\nline="
    before, transfer_encoding.PIECE = transfer_encoding.PIECE, piece
    try:
        found = decoded(encoded, "quoted-printable")
    finally:
        transfer_encoding.PIECE = before
    assert found == quopri.decodestring(encoded)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (b"QUJD", b"ABC"),
        (b"QU JD\r\n!", b"ABC"),
        (b"QUI=", b"AB"),
        (b"QUI", b"AB"),
        (b"QQ==\r\nQUJD", b"A"),
        (b"Q", b""),
        (b"", b""),
    ],
)
def test_broken_base64_is_decoded_as_far_as_it_goes(octets: bytes, found: bytes) -> None:
    assert decoded(octets, "base64") == found
    assert content(octets, "base64").size == len(found)


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "", "x-unknown"])
def test_other_encodings_are_left_as_they_are(encoding: str) -> None:
    octets = bytes(range(256)) * 3
    assert decoded(octets, encoding) == octets
    assert content(octets, encoding).size == len(octets)


def test_a_quoted_printable_line_without_end_is_decoded() -> None:
    octets = b"=41" * 300_000
    assert decoded(octets, "quoted-printable") == b"A" * 300_000


async def test_a_content_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"head" + base64.encodebytes(b"0123456789" * 100_000) + b"tail")
    octets = FileBody(path, path.stat().st_size)
    found = Content(octets, 4, octets.size - 4, "base64")
    for _ in range(2):
        assert b"".join([piece async for piece in found.chunks()]) == b"0123456789" * 100_000
    assert found.size == 1_000_000


def test_the_beginning_is_enough_where_not_all_is_wanted() -> None:
    found = content(b"x" * 1_000_000, "")
    assert len(found.beginning(10)) <= transfer_encoding.PIECE
    assert found.beginning(2_000_000) == b"x" * 1_000_000
