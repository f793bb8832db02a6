"""Text from elsewhere on one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import one_line, without_controls


@pytest.mark.parametrize(
    "kept",
    ["👩\u200d💻 Support", "山田　太郎", "می\u200cخواهم", "e\u0301", "a\u00a0b", "\u200fעברית"],
)
def test_what_a_script_needs_stays(kept: str) -> None:
    assert one_line(kept) == kept


@pytest.mark.parametrize(
    "unfit", ["\0", "\r", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"]
)
def test_what_breaks_a_line_or_turns_it_is_replaced(unfit: str) -> None:
    assert without_controls(f"a{unfit}b") == "a b"
    assert without_controls(f"a{unfit}b", "_") == "a_b"


@given(st.text())
def test_a_line_can_always_be_encoded_and_is_one(text: str) -> None:
    line = without_controls(text)
    assert line.encode().decode() == line
    assert len(line.splitlines()) <= 1
    assert len(line) == len(text)


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_any_text_becomes_one_line_of_bounded_length(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert len(line) <= longest
    assert line == without_controls(line).strip(" ")
    assert "  " not in line


@given(st.text())
def test_a_line_that_is_fit_already_is_left_as_it_is(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\u202eb\x1b[31m\r\nd", "a b [31m d"),
        ("  a\tb  ", "a b"),
        ("half \udc80 of a pair", "half of a pair"),
        (ValueError("no\nroute"), "no route"),
        ("", ""),
    ],
)
def test_what_breaks_or_turns_text_becomes_a_space(text: object, line: str) -> None:
    assert one_line(text) == line


def test_an_ellipsis_stands_for_what_was_cut_off() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
