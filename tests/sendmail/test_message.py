"""Reading a message from standard input, and sending it."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sendmail import message
from graphrelay.sendmail.message import IN_MEMORY, DotEnd, Message
from graphrelay.sendmail.smtp import stuffed
from graphrelay.smtp.grammar.data import DataReader, with_line_ends

LINES = st.lists(
    st.sampled_from([b"a", b".", b"..", b"\n", b"\r\n", b"\r", b"\n.\n", b"\r\n.\r\n", b"\xe4"])
    | st.binary(max_size=3),
    max_size=12,
).map(b"".join)


@contextmanager
def pipe(octets: bytes) -> Iterator[int]:
    """A descriptor from which `octets` can be read, and then the end."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as opened:
            opened.write(octets)

    writer = threading.Thread(target=write)
    writer.start()
    yield reading
    writer.join()
    os.close(reading)


def read(octets: bytes, *, dot_ends: bool = True) -> bytes:
    with pipe(octets) as descriptor:
        written = message.read(descriptor, dot_ends=dot_ends)
        text = b"".join(written.pieces())
        assert written.size == len(text)
        written.close()
    return text


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(cut, len(octets)) for cut in cuts} | {len(octets)})
    return [octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a\n.\nb\n", b"a\n"),
        (b"a\r\n.\r\nb", b"a\r\n"),
        (b".\na", b""),
        (b"a\n.", b"a\n"),
        (b"a\n..\n.b\n.", b"a\n..\n.b\n"),
        (b"a.\n", b"a.\n"),
        (b"a", b"a"),
        (b"", b""),
    ],
)
def test_a_dot_alone_on_its_line_ends_the_message(octets: bytes, text: bytes) -> None:
    assert read(octets) == text


def test_with_i_it_does_not() -> None:
    assert read(b"a\n.\nb\n", dot_ends=False) == b"a\n.\nb\n"


@given(LINES, st.lists(st.integers(0, 40), max_size=5))
def test_the_dot_is_found_at_any_split(octets: bytes, cuts: list[int]) -> None:
    def text(parts: list[bytes]) -> bytes:
        dots, found = DotEnd(), b""
        for part in parts:
            more, done = dots.feed(part)
            found += more
            if done:
                return found
        return found + dots.end()

    whole = text([octets])
    assert text(pieces(octets, cuts)) == whole
    lines = re.split(rb"(?<=\n)", octets)
    ends = (at for at, line in enumerate(lines) if line in (b".", b".\r", b".\n", b".\r\n"))
    assert whole == b"".join(lines[: next(ends, None)])


@given(LINES, st.lists(st.integers(0, 40), max_size=5))
def test_what_goes_out_is_what_the_relay_takes_in(octets: bytes, cuts: list[int]) -> None:
    sent = b"".join(stuffed(iter(pieces(octets, cuts))))
    taken = DataReader().feed(sent)
    assert taken.done
    assert taken.rest == b""
    expected = with_line_ends(octets)
    assert taken.octets == expected + (
        b"" if expected.endswith(b"\r\n") or not expected else b"\r\n"
    )


def test_lines_of_mailboxes_are_left_out() -> None:
    text = b"From root Mon Nov 23 12:00:00 2026\n>From x y\nSubject: x\n\nFrom here on\n"
    assert read(text) == b"Subject: x\n\nFrom here on\n"


def test_large_messages_are_not_held_in_memory() -> None:
    octets = os.urandom(IN_MEMORY) + b"x" * IN_MEMORY + b"\nend"
    written = Message()
    for at in range(0, len(octets), 100_000):
        written.add(octets[at : at + 100_000])
    written.complete()
    assert len(written.head) == IN_MEMORY
    assert written.size == len(octets)
    for _ in range(2):
        assert b"".join(written.pieces()) == octets
    written.close()


def test_a_line_can_be_put_before() -> None:
    written = Message()
    written.add(b"From root Mon\nSubject: x\n\ntext\n")
    written.complete()
    written.put_before(b"From: a@b\r\n")
    assert b"".join(written.pieces()) == b"From: a@b\r\nSubject: x\n\ntext\n"
    assert written.size == len(b"From: a@b\r\nSubject: x\n\ntext\n")
