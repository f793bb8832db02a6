"""The data reader, compared with a reader so simple that it is obviously correct."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrelay.smtp.grammar.data import BinaryLineEnds, DataReader, with_line_ends
from tests.smtp.fuzzing import fuzz, unhurried

END = b"\r\n.\r\n"

tokens = st.sampled_from(
    [b"\r", b"\n", b".", b"\r\n", b"..", b"a", b"\0", b"\r\n.", b"\n.\n", b"\r\n.\n", b"\xff", b"Q"]
)
streams = st.lists(tokens, max_size=40).map(b"".join)


def reference(stream: bytes) -> tuple[bytes, bool, bytes]:
    """The whole stream at once: cut at the end, unstuff, convert the line ends."""
    text, end, rest = (b"\r\n" + stream).partition(END)
    if not end:
        return b"", False, b""
    unstuffed = re.sub(rb"\r\n\.", b"\r\n", text + b"\r\n")
    return re.sub(rb"\r?\r?\n|\r", b"\r\n", unstuffed)[2:], True, rest


def read(pieces: list[bytes]) -> tuple[bytes, bool, bytes]:
    reader = DataReader()
    message = b""
    for number, octets in enumerate(pieces):
        piece = reader.feed(octets)
        message += piece.octets
        if piece.done:
            return message, True, piece.rest + b"".join(pieces[number + 1 :])
    return message, False, b""


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(stream) + 1) for place in places})
    return [stream[start:end] for start, end in zip([0, *at], [*at, len(stream)], strict=True)]


@unhurried
def test_any_split_reads_the_same_as_the_whole() -> None:
    fuzz(any_split)


@settings(max_examples=500, deadline=None)
@given(streams, st.lists(st.integers(0, 500), max_size=8))
def any_split(stream: bytes, places: list[int]) -> None:
    stream += END + b"QUIT\r\n"
    assert read(cut(stream, places)) == reference(stream)


@settings(max_examples=500)
@given(streams)
def test_octet_by_octet_reads_the_same_as_the_whole(stream: bytes) -> None:
    stream += END
    assert read([bytes([octet]) for octet in stream]) == reference(stream)


@settings(max_examples=500)
@given(streams)
def test_without_the_five_octets_there_is_no_end(stream: bytes) -> None:
    if END not in b"\r\n" + stream:
        assert read([bytes([octet]) for octet in stream])[1] is False
        assert read([stream])[1] is False


@settings(max_examples=500)
@given(streams)
def test_what_comes_out_has_no_line_end_but_cr_lf(stream: bytes) -> None:
    message, done, _ = read(cut(stream + END, [3, 5, 8]))
    assert done
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)


@given(st.binary(max_size=300), st.lists(st.integers(0, 900), max_size=5))
def test_a_well_formed_message_survives_stuffing(body: bytes, places: list[int]) -> None:
    message = re.sub(rb"\r?\r?\n|\r", b"\r\n", body) + b"\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", message)
    assert read(cut(stuffed + b".\r\n", places)) == (message, True, b"")


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\x00.\r\n",
        b"\r\n.\x00\r\n",
        b"\r\n.\r\r\n",
        b"\r\n. \r\n",
        b"\n\n.\r\n",
        b"\r\n.\n\r",
        b"\xc2\x8d\n.\r\n",
    ],
    ids=repr,
)
def test_a_published_smuggling_end_is_text(ending: bytes) -> None:
    stream = b"Subject: a\r\n\r\nb" + ending + b"MAIL FROM:<evil@example.org>\r\n"
    assert read([stream])[1] is False
    message, done, rest = read([stream + b".\r\n"])
    assert done
    assert b"evil@example.org" in message
    assert rest == b""


def test_dot_crlf_at_once_is_an_empty_message() -> None:
    assert read([b".\r\nQUIT\r\n"]) == (b"", True, b"QUIT\r\n")


def test_a_dot_behind_a_bare_line_feed_stays() -> None:
    assert read([b"a\n.profile\r\n.\r\n"]) == (b"a\r\n.profile\r\n", True, b"")


def test_a_line_end_that_was_converted_twice_is_one_line_end() -> None:
    assert read([b"a\r\r\nb\r\r\n.\r\n"]) == (b"a\r\nb\r\n", True, b"")


def test_the_reader_holds_back_no_more_than_five_octets() -> None:
    reader = DataReader()
    assert len(reader.feed(b"\r" * 1_000_000).octets) >= 2 * 999_995


@unhurried
def test_a_binary_message_is_repaired_to_its_empty_line_at_any_split() -> None:
    fuzz(any_split_of_a_binary_message)


@settings(max_examples=500, deadline=None)
@given(streams, st.lists(st.integers(0, 500), max_size=8))
def any_split_of_a_binary_message(stream: bytes, places: list[int]) -> None:
    reader = BinaryLineEnds()
    read = b"".join(map(reader.feed, cut(stream, places))) + reader.end()
    ends = [end for end in range(len(stream) + 1) if _ends_the_header(stream, end)]
    end = ends[0] if ends else len(stream)
    assert read == with_line_ends(stream[:end]) + stream[end:]


def _ends_the_header(stream: bytes, end: int) -> bool:
    """Whether an empty line ends there, and no line end is split."""
    head, rest = stream[:end], stream[end:]
    whole = with_line_ends(head) + with_line_ends(rest) == with_line_ends(stream)
    open_still = head.endswith(b"\r") and (rest in (b"", b"\r") or rest.startswith(b"\n"))
    empty = re.match(rb"(?s)(\r\n|.*\r\n\r\n)\Z", with_line_ends(head)) is not None
    return empty and whole and not open_still
