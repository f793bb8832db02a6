"""Texts that one person writes for others."""

import pytest

from graphrelay.control.verb import LONGEST_SAID, said


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("maintenance", "maintenance"),
        ("two\r\nlines", "two lines"),
        ("\x1b[2Jclear", "[2Jclear"),
        (None, ""),
        (7, "7"),
    ],
)
def test_it_becomes_one_printable_line(written: object, shown: str) -> None:
    assert said({"reason": written}, "reason") == shown


def test_it_is_bounded_and_may_be_missing() -> None:
    assert len(said({"reason": "x" * 10_000}, "reason")) == LONGEST_SAID
    assert said({}, "reason") == ""
