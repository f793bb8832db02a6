"""The header section by byte range."""

import time
from email.parser import BytesHeaderParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import header
from graphrelay.mime.header import Edits, HeaderSection

LINES = st.lists(
    st.sampled_from(
        [
            b"To: a@b\r\n",
            b"Subject : hi\r\n",
            b"From root Mon Jan  1\r\n",
            b">From root Mon Jan  1\r\n",
            b"no field at all\r\n",
            b" folded\r\n",
            b"\tfolded\r\n",
            b"   \r\n",
            b"\r\n",
            b"X-Nul: a\0b\r\n",
            b"Bcc:\r\n",
            b": no name\r\n",
            b"Unknown: x\r\n",
            b"Received: x\n",
            b"Cc: x\r",
            b"\xff\xfe: x\r\n",
            b"caf\xc3\xa9\r\n",
            b"Na me: x\r\n",
            b"no end",
        ]
    )
    | st.binary(max_size=12),
    max_size=12,
).map(b"".join)


def section(octets: bytes) -> HeaderSection:
    found = header.read(octets)
    assert found is not None
    return found


def names(found: HeaderSection) -> list[str]:
    return [one.name for one in found.find("*")]


def test_fields_are_found_with_their_octets() -> None:
    octets = b"Subject: one\r\n\ttwo\r\nTO:a@b\r\nto: c@d\r\n\r\nTo: not a header\r\n"
    found = section(octets)
    assert octets[found.body_start :] == b"To: not a header\r\n"
    assert [found.value(one) for one in found.find("to")] == [b"a@b", b" c@d"]
    subject = found.first("subject")
    assert subject
    assert found.octets[subject.start : subject.end] == b"Subject: one\r\n\ttwo\r\n"
    assert found.unfolded(subject) == b"one\ttwo"
    assert found.first("cc") is None


def test_a_name_is_no_prefix_of_another() -> None:
    found = section(b"To-Do: x\r\nTo: a\r\nX-To: y\r\n\r\n")
    assert [found.value(one) for one in found.find("to")] == [b" a"]


def test_a_star_stands_for_every_ending() -> None:
    found = section(b"Resent-To: x\r\nResent: y\r\nResent-Cc: z\r\n\r\n")
    assert [one.name for one in found.find("resent-*")] == ["resent-to", "resent-cc"]


def test_splicing_leaves_every_other_octet() -> None:
    found = section(b"A: \xe9\0\r\nTo: x\r\n y\r\nX-B:  z \r\nCc: q\r\n\r\n")
    to, cc = found.find("to", "cc")
    assert found.spliced(Edits({cc: b"Cc: new\r\n", to: b""}, b"Bcc: more\r\n")) == (
        b"A: \xe9\0\r\nX-B:  z \r\nCc: new\r\nBcc: more\r\n"
    )


@pytest.mark.parametrize(
    ("octets", "repaired", "body"),
    [
        (b"\r\ntext\r\n", b"", b"text\r\n"),
        (b"", b"", b""),
        (
            b"text without any header\r\n\r\nmore\r\n",
            b"",
            b"text without any header\r\n\r\nmore\r\n",
        ),
        (b"Warning: disk full\r\n\r\nmore\r\n", b"", b"Warning: disk full\r\n\r\nmore\r\n"),
        (b" folded\r\nTo: x\r\n\r\n", b"", b" folded\r\nTo: x\r\n\r\n"),
        (b" \r\n foo\r\nTo: x\r\n\r\n", b"", b" \r\n foo\r\nTo: x\r\n\r\n"),
        (b"From root Mon\r\njunk\r\nTo: x\r\n", b"", b"From root Mon\r\njunk\r\nTo: x\r\n"),
        (b"From here on all is well\r\n", b"", b"From here on all is well\r\n"),
        (b" \r\nTo: x\r\n\r\nb", b"To: x\r\n", b"b"),
        (b"Subject: no body\r\n", b"Subject: no body\r\n", b""),
        (b"Subject: no end", b"Subject: no end\r\n", b""),
        (b"From root Mon\r\nTo: x\r\n\r\nb", b"To: x\r\n", b"b"),
        (b"\xef\xbb\xbfTo: x\r\n\r\nb", b"To: x\r\n", b"b"),
        (b"\xef\xbb\xbfFrom root Mon\r\nTo: x\r\n\r\nb", b"To: x\r\n", b"b"),
        (b"To: x\r\n>From root Mon\r\nCc: y\r\n\r\nb", b"To: x\r\nCc: y\r\n", b"b"),
        (b"To : x\r\nCc\t: y\r\n\r\nb", b"To: x\r\nCc: y\r\n", b"b"),
        (b"To: x\r\n  \r\nCc: y\r\n\r\nb", b"To: x\r\nCc: y\r\n", b"b"),
        (b"To: x\r\n  \r\nHello\r\n\r\nb", b"To: x\r\n", b"Hello\r\n\r\nb"),
        (b"Subject: x\r\ny\r\nTo: z\r\n\r\nb", b"Subject: x\r\n y\r\nTo: z\r\n", b"b"),
        (b"Subject: x\r\nHello\r\nyou\r\n\r\nb", b"Subject: x\r\n", b"Hello\r\nyou\r\n\r\nb"),
        (b"Subject: x\nTo: z\n\nb\n", b"Subject: x\r\nTo: z\r\n", b"b\n"),
        (b"Subject: x\rBcc: z\r\n\r\nb", b"Subject: x\r\nBcc: z\r\n", b"b"),
        (b"To: x\r\n: y\r\nCc: z\r\n\r\n", b"To: x\r\n : y\r\nCc: z\r\n", b""),
    ],
)
def test_a_broken_section_is_repaired(octets: bytes, repaired: bytes, body: bytes) -> None:
    found = section(octets)
    assert (found.octets, octets[found.body_start :]) == (repaired, body)


@given(LINES)
def test_all_readers_agree_on_what_was_read(octets: bytes) -> None:
    found = section(octets)
    rest = octets[found.body_start :]
    again = found.octets + b"\r\n" + rest
    theirs = BytesHeaderParser().parsebytes(again)
    assert [name.lower() for name in theirs.keys()] == names(found)  # noqa: SIM118
    if found.octets:
        assert section(again) == HeaderSection(found.octets, len(found.octets) + 2)


@given(LINES)
def test_the_text_of_the_message_is_never_lost(octets: bytes) -> None:
    found = section(octets)
    kept = (found.octets + octets[found.body_start :]).replace(b"\r", b"").replace(b"\n", b"")
    taken_out = (b"From ", b">From ")
    for line in octets.replace(b"\r", b"\n").split(b"\n"):
        if line.strip() and b":" not in line and not line.startswith(taken_out):
            assert line.strip() in kept


@given(LINES)
def test_fields_of_ours_change_nothing_of_what_is_read(octets: bytes) -> None:
    prefix = b"Date: x\r\nMessage-ID: <1@x>\r\n"
    found, alone = header.below(prefix, octets), section(octets)
    assert found == HeaderSection(prefix + alone.octets, alone.body_start)
    again = found.octets + b"\r\n" + octets[found.body_start :]
    assert section(again) == HeaderSection(found.octets, len(found.octets) + 2)


@given(LINES, st.data())
def test_the_beginning_says_the_same_as_the_whole_or_asks_for_more(
    octets: bytes, data: st.DataObject
) -> None:
    beginning = octets[: data.draw(st.integers(0, len(octets)))]
    assert header.read(beginning, complete=False) in (None, section(octets))


def test_a_beginning_with_the_whole_section_is_enough() -> None:
    octets = b"To: x\r\nSubject: y\r\n\r\nbody"
    assert header.read(octets[:-4], complete=False) == section(octets)


def test_two_thousand_and_a_hundred_thousand_lines_are_read() -> None:
    for count in (2_000, 100_000):
        octets = b"X: y\r\n" * count + b"To: a@b\r\n\r\n"
        assert len(list(section(octets).find("x", "to"))) == count + 1


def test_a_line_may_have_any_length() -> None:
    octets = b"Subject: " + b"x" * 500_000 + b"\r\nTo: a@b\r\n\r\n"
    assert [one.name for one in section(octets).find("subject", "to")] == ["subject", "to"]


HOSTILE = {
    "colons": b":",
    "spaces": b" ",
    "folds": b"To:\r\n \r\n ",
    "spaces before the colon": b"To      : x\r\n",
    "lost folds": b"x\r\nTo: y\r\n",
    "names": b"a",
    "mbox lines": b"From x\r\n",
    "line ends": b"\r\n ",
    "carriage returns": b"a:\r",
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_takes_linear_time(pattern: bytes) -> None:
    def cost(size: int) -> float:
        octets = b"To: x\r\n" + pattern * (size // len(pattern))
        started = time.thread_time()
        found = header.read(octets)
        assert found
        list(found.find("to", "cc"))
        return time.thread_time() - started

    small = min(cost(50_000) for _ in range(3))
    large = min(cost(400_000) for _ in range(3))
    assert large < 30 * small + 0.02


@given(LINES)
def test_a_name_finds_what_a_look_at_all_fields_finds(octets: bytes) -> None:
    found = section(octets)
    for name in {one.name for one in found.find("*")} | {"missing"}:
        assert list(found.find(name)) == [one for one in found.find("*") if one.name == name]


def test_a_section_too_long_to_be_indexed_is_looked_through() -> None:
    found = section(b"X-Filler: x\r\n" * 5000 + b"To: a@b\r\nto: c@d\r\n\r\n")
    assert [found.value(one) for one in found.find("to")] == [b" a@b", b" c@d"]
    assert "_by_name" not in vars(found)
