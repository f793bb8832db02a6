"""Whose turn it is."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import QueueEntry
from graphrelay.relay.queue.fair_order import Due
from graphrelay.spool.values import LARGE
from tests.clock import FakeClock
from tests.relay.delivery import LANE

NOW = FakeClock().now()


def waiting(
    number: int,
    sender: str = "",
    age: int = 0,
    size: int = 0,
    login: str = "",
    client: str = "",
) -> QueueEntry:
    return QueueEntry(number, LANE, NOW - timedelta(seconds=age), NOW, sender, size, login, client)


def order(due: Due, *, small_only: bool = False) -> list[int]:
    found = []
    while (one := due.pop(small_only=small_only)) is not None:
        found.append(one)
    return found


def test_within_one_sender_the_oldest_goes_first() -> None:
    due = Due()
    for number, age in ((1, 5), (2, 50), (3, 1)):
        due.push(waiting(number, age=age))
    assert order(due) == [2, 1, 3]
    assert not due.has()


def test_an_alarm_does_not_wait_behind_all_the_newsletters_before_it() -> None:
    due = Due()
    for number in range(100):
        due.push(waiting(number, "news@contoso.com", age=1_000))
    due.push(waiting(500, "alarm@contoso.com"))
    assert 500 in order(due)[:2]


@pytest.mark.parametrize(
    "alarm", [{"client": "192.0.2.7"}, {"login": "door"}, {"login": "door", "client": "192.0.2.7"}]
)
def test_a_sender_of_its_own_for_each_newsletter_gives_no_more_turns(alarm: dict[str, str]) -> None:
    due = Due()
    for number in range(600):
        due.push(waiting(number, f"bounce-{number}@contoso.com", 1_000, client="192.0.2.1"))
    due.push(waiting(900, "alarm@contoso.com", **alarm))  # type: ignore[arg-type]
    assert 900 in order(due)[:2]


def test_an_address_of_its_own_for_each_newsletter_gives_a_login_no_more_turns() -> None:
    due = Due()
    for number in range(600):
        due.push(
            waiting(number, "news@contoso.com", 1_000, login="news", client=f"2001:db8::{number:x}")
        )
    due.push(waiting(900, "news@contoso.com", login="door", client="2001:db8::1"))
    assert 900 in order(due)[:2]


def test_large_messages_can_be_passed_over() -> None:
    due = Due()
    due.push(waiting(1, size=LARGE, age=9))
    due.push(waiting(2, size=LARGE - 1))
    assert due.has(small_only=True)
    assert due.pop(small_only=True) == 2
    assert not due.has(small_only=True)
    assert due.pop(small_only=True) is None
    assert due.pop() == 1


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.sampled_from([0, LARGE])),
        max_size=50,
    )
)
def test_whose_turn_it_is_has_the_turn_at_each_level_and_small_ones_are_all_found(
    mails: list[tuple[str, int, int]],
) -> None:
    """A login is not given two turns while another waits, whatever its clients and senders are."""
    due = Due()
    kept = {
        number: waiting(number, f"{sender}{age % 3}", age, size, sender, f"{age % 2}")
        for number, (sender, age, size) in enumerate(mails)
    }
    for one in kept.values():
        due.push(one)
    small = order(due, small_only=True)
    assert sorted(small) == [number for number, one in kept.items() if one.size < LARGE]
    large = order(due)
    assert sorted(small + large) == list(kept)
    assert not due.has()
    for found in (small, large):
        logins = [kept[number].login for number in found]
        for at, login in enumerate(logins[:-1]):
            assert logins[at + 1] != login or not set(logins[at + 1 :]) - {login}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.sampled_from([0, LARGE])),
        max_size=50,
    )
)
def test_nothing_is_forgotten_and_no_sender_goes_twice_while_another_waits(
    mails: list[tuple[str, int, int]],
) -> None:
    due = Due()
    for number, (sender, age, _) in enumerate(mails):
        due.push(waiting(number, sender, age))
    found = order(due)
    assert sorted(found) == list(range(len(mails)))
    senders = [mails[number][0] for number in found]
    for at, sender in enumerate(senders[:-1]):
        others_wait = set(senders[at + 1 :]) - {sender}
        if others_wait:
            assert senders[at + 1] != sender
    for one in "abc":
        ages = [mails[number][1] for number in found if mails[number][0] == one]
        assert ages == sorted(ages, reverse=True)
