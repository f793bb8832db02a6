"""Text from elsewhere on one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import one_line


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_any_text_becomes_one_printable_line_of_bounded_length(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert line.isprintable()
    assert len(line) <= longest
    assert line == " ".join(line.split())


@given(st.text())
def test_a_line_that_is_fit_already_is_left_as_it_is(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\u202eb\u200bc\x1b[31m\r\nd", "a b c [31m d"),
        ("  a\tb  ", "a b"),
        ("half \udc80 of a pair", "half of a pair"),
        (ValueError("no\nroute"), "no route"),
        ("", ""),
    ],
)
def test_what_hides_or_turns_text_becomes_a_space(text: object, line: str) -> None:
    assert one_line(text) == line


def test_an_ellipsis_stands_for_what_was_cut_off() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
