"""Encoded words, read as all programs write them, and written so that all programs read them."""

import encodings
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import encoded_word

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?M=C3=BCller?=", "Müller"),
        (b"=?UTF-8?B?TcO8bGxlcg==?= GmbH", "Müller GmbH"),
        (b"=?utf-8?B?TcO8bGxlcg?=", "Müller"),
        (b"=?iso-8859-1?Q?M=FCller_&_S=F6hne?=", "Müller & Söhne"),
        (b"=?us-ascii*en?q?RFC_2231?=", "RFC 2231"),
        (b"=?utf-8?q?one?=\r\n =?utf-8?q?two?=", "onetwo"),
        (b"=?utf-8?q?one?= and =?utf-8?q?two?=", "one and two"),
        (b"=?utf-8?Q?M=C3?= =?utf-8?Q?=BCller?=", "Müller"),
        (b"=?utf-8?q?with spaces inside?=", "with spaces inside"),
        (b"=?utf-8?q?declared=FCwrong?=", "declaredüwrong"),
        (b"=?klingon?q?M=C3=BCller?=", "Müller"),
        (b"=?idna?q?xn--a?=", "xn--a"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße – €".encode("cp1252"), "Grüße – €"),
        (b"=?utf-8?x?no?= =?utf-8?q?open", "=?utf-8?x?no?= =?utf-8?q?open"),
    ],
)
def test_what_senders_write_is_read(octets: bytes, text: str) -> None:
    assert encoded_word.decode(octets) == text


@given(TEXT)
def test_what_is_written_reads_the_same_for_us_and_for_others(text: str) -> None:
    words = encoded_word.encode(text)
    assert encoded_word.decode(words) == text
    assert str(make_header(decode_header(words.decode("ascii").replace("\r\n", "")))) == text


@given(TEXT)
def test_words_are_short_and_stand_on_lines_of_their_own(text: str) -> None:
    lines = encoded_word.encode(text).split(b"\r\n ")
    assert all(len(line) <= 75 and encoded_word.WORD.fullmatch(line) for line in lines)


@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from([b"=?", b"?", b"?=", b"utf-8", b"q", b"B", b" ", b"=C3", b"TcO8"])
    ).map(b"".join)
)
def test_reading_never_fails(octets: bytes) -> None:
    encoded_word.decode(octets)


def test_a_charset_that_there_is_not_is_not_remembered() -> None:
    """Python looks for it on the disk, and caches the failure permanently."""
    before = set(encodings._cache)
    assert encoded_word.decode(b"=?x-nowhere-4711?q?a=E4?=") == "aä"
    assert set(encodings._cache) == before


def test_a_broken_octet_does_not_make_utf_8_illegible() -> None:
    octets = "Atención, señor: último aviso ".encode() + b"\xf3"
    for read in (encoded_word.text(octets, "utf-8"), encoded_word.undeclared(octets)):
        assert read == "Atención, señor: último aviso ó"
    assert encoded_word.text("Grüße".encode("cp1252") + "é".encode(), "utf-8") == "GrüßeÃ©"
