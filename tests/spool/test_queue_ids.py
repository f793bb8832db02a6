"""Queue ids: sortable, unambiguous, never the same twice."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.spool.queue_ids import (
    ALPHABET,
    LENGTH,
    QueueIds,
    decoded,
    encoded,
    normalised,
)
from tests.spool.mail import NOON

moments = st.datetimes(
    timezones=st.just(UTC),
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001
    max_value=datetime(2089, 1, 1),  # noqa: DTZ001
)


@given(st.lists(moments, min_size=1, max_size=50))
def test_each_is_greater_than_the_one_before_whatever_the_clock_does(when: list[datetime]) -> None:
    ids = QueueIds()
    names = [ids.next(now) for now in when]
    assert names == sorted(set(names))


@given(moments)
def test_ten_letters_that_nobody_mistakes(now: datetime) -> None:
    name = QueueIds().next(now)
    assert len(name) == LENGTH
    assert set(name) <= set(ALPHABET)
    assert not set(name) & set("ILOU")


def test_they_go_on_after_the_last_one_in_the_database() -> None:
    later = QueueIds().next(NOON + timedelta(days=1))
    assert QueueIds(later).next(NOON) > later


@given(st.integers(0, (1 << 50) - 1))
def test_a_name_is_a_number(value: int) -> None:
    assert decoded(encoded(value)) == value


def test_they_sort_by_time() -> None:
    assert QueueIds().next(NOON) < QueueIds().next(NOON + timedelta(milliseconds=1))


def test_what_a_person_types_is_understood() -> None:
    assert normalised(" 0sql10oib7/2 ") == ("0SQ11001B7", 2)
    assert normalised("0SQ1100IB7") == ("0SQ11001B7", None)
    assert normalised("0SQ11001B7/x") == ("0SQ11001B7", 0)
    assert normalised("0SQ11001B7/²") == ("0SQ11001B7", 0)


@given(st.text())
def test_anything_typed_is_some_name(text: str) -> None:
    normalised(text)
