"""What of a stranger's text may stand where people read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime.text import on_one_line, storable


@pytest.mark.parametrize(
    "kept",
    ["👩\u200d💻 Support", "山田　太郎", "می\u200cخواهم", "e\u0301", "a\u00a0b", "\u200fעברית"],
)
def test_what_a_script_needs_stays(kept: str) -> None:
    assert on_one_line(kept) == kept


@pytest.mark.parametrize(
    "unfit", ["\0", "\r", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"]
)
def test_what_breaks_a_line_or_turns_it_is_replaced(unfit: str) -> None:
    assert on_one_line(f"a{unfit}b") == "a b"
    assert on_one_line(f"a{unfit}b", "_") == "a_b"


@given(st.text())
def test_a_line_can_always_be_encoded_and_is_one(text: str) -> None:
    line = on_one_line(text)
    assert line.encode().decode() == line
    assert len(line.splitlines()) <= 1
    assert len(line) == len(text)


def test_characters_that_xml_cannot_hold_are_replaced_and_counted() -> None:
    assert storable("a\tb\r\n\0\x1b\ud800") == ("a\tb\r\n\ufffd\ufffd\ufffd", 3)
