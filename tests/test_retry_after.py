"""Retry-After in every valid form, and in some invalid ones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.retry_after import LONGEST_RETRY_AFTER, http_date, retry_after

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("10", 10.0),
        (" 7 ", 7.0),
        ("2.128", 2.128),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("86400", 3600.0),
        ("1e300", 3600.0),
        ("1e400", 3600.0),
        ("inf", 3600.0),
        ("Mon, 23 Nov 2099 12:00:00 GMT", 3600.0),
    ],
)
def test_retry_after_in_every_form(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "nan", "12 seconds", "Mon, 99 Nov 2026", "١٢٣x"])
def test_a_retry_after_that_says_nothing_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}, NOW) is None


def test_no_retry_after_is_none() -> None:
    assert retry_after({}, NOW) is None


def test_a_date_is_measured_by_the_clock_of_the_one_who_wrote_it() -> None:
    headers = {
        "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT",
        "date": "Mon, 23 Nov 2026 10:00:00 GMT",
    }
    assert retry_after(headers, NOW) == timedelta(seconds=30)


@given(st.text(), st.text())
def test_no_value_breaks_the_reader(value: str, date: str) -> None:
    wait = retry_after({"retry-after": value, "date": date}, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_RETRY_AFTER


def test_a_date_without_anything_to_measure_it_against_is_none() -> None:
    said = {"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}
    assert retry_after(said, None) is None
    assert retry_after({"retry-after": "7"}, None) == timedelta(seconds=7)


def test_the_caller_may_set_another_limit() -> None:
    assert retry_after({"retry-after": "9"}, NOW, timedelta(seconds=5)) == timedelta(seconds=5)


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 +0000",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
    ],
)
def test_a_date_beyond_the_calendar_is_none(text: str) -> None:
    assert http_date(text) is None
    assert retry_after({"retry-after": text}, NOW) is None
