"""What was typed into a filter."""

import pytest
from aiohttp import web

from graphrelay.console.forms import moment, number


def test_numbers() -> None:
    assert number("") is None
    assert number("42") == 42
    for text in ("x", "-1", "٤", "9" * 16):
        with pytest.raises(web.HTTPBadRequest):
            number(text)


def test_moments_are_in_utc_unless_they_say_otherwise() -> None:
    assert moment("") is None
    assert moment("2026-11-23T12:00") == "2026-11-23T12:00:00+00:00"
    assert moment("2026-11-23T12:00+02:00") == "2026-11-23T10:00:00+00:00"
    for text in ("yesterday", "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00"):
        with pytest.raises(web.HTTPBadRequest):
            moment(text)
