"""Sliding windows: what was used becomes available again when its time is over, and not before."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.relay.policy.budget import Budget, Limit, Spent, in_words

SECOND, MINUTE, HOUR = (timedelta(seconds=n) for n in (1, 60, 3_600))
START = timedelta(hours=7)
MESSAGES = Limit("messages", 3, MINUTE)
RECIPIENTS = Limit("recipients", 100, 24 * HOUR)


def test_without_limits_everything_may_be_done() -> None:
    budget = Budget(())
    budget.spend(Spent(10**9, 10**9, 10**9, 10**9), START)
    assert budget.free_at(START) == START
    assert budget.empty_at(START) == START
    assert budget.uses(START) == ()


def test_a_limit_is_free_until_it_is_reached_and_again_when_the_first_is_over() -> None:
    budget = Budget((MESSAGES,))
    for second in (0, 10, 20):
        assert budget.free_at(START + second * SECOND) == START + second * SECOND
        budget.spend(Spent(messages=1), START + second * SECOND)
    now = START + 20 * SECOND
    assert budget.exhausted(now) == (MESSAGES,)
    assert budget.free_at(now) == START + 61 * SECOND
    assert budget.free_at(START + 61 * SECOND) == START + 61 * SECOND
    assert budget.exhausted(START + 61 * SECOND) == ()


def test_the_strictest_limit_counts() -> None:
    budget = Budget((MESSAGES, RECIPIENTS))
    budget.spend(Spent(messages=1, recipients=100), START)
    assert budget.exhausted(START) == (RECIPIENTS,)
    assert budget.free_at(START) >= START + 24 * HOUR


def test_one_spending_beyond_the_limit_waits_for_its_own_end_only() -> None:
    budget = Budget((MESSAGES,))
    budget.spend(Spent(messages=50), START)
    assert budget.free_at(START) == START + 61 * SECOND


def test_what_is_left_is_reported_with_the_time_at_which_it_will_end() -> None:
    budget = Budget((RECIPIENTS,))
    assert [(use.used, use.exhausted_in) for use in budget.uses(START)] == [(0, None)]
    budget.spend(Spent(recipients=50), START)
    [use] = budget.uses(START + HOUR)
    assert use.used == 50
    assert use.exhausted_in is not None
    assert timedelta(minutes=50) <= use.exhausted_in <= timedelta(minutes=80)
    [slow] = budget.uses(START + 23 * HOUR)
    assert slow.exhausted_in is None


def test_all_is_forgotten_in_the_end() -> None:
    budget = Budget((MESSAGES, RECIPIENTS))
    budget.spend(Spent(messages=1, recipients=1), START)
    empty_at = budget.empty_at(START)
    assert budget.empty_at(empty_at) == empty_at
    assert [use.used for use in budget.uses(empty_at)] == [0, 0]


def test_in_words() -> None:
    limits = (Limit("recipients", 10_000, 24 * HOUR), Limit("octets", 150_000_000, 5 * MINUTE))
    assert in_words(limits) == (
        "10,000 recipients in 24 hours and 150,000,000 octets of upload in 5 minutes are used up"
    )
    assert in_words([MESSAGES]) == "3 messages in a minute are used up"


@given(
    most=st.integers(1, 20),
    events=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=60),
)
def test_who_waits_as_asked_never_exceeds_the_limit_by_more_than_the_last_spending(
    most: int, events: list[tuple[int, int]]
) -> None:
    budget = Budget((Limit("messages", most, MINUTE),))
    now, spent = START, []
    for pause, amount in events:
        now = budget.free_at(now + pause * SECOND)
        budget.spend(Spent(messages=amount), now)
        spent.append((now, amount))
    for n, (end, _) in enumerate(spent):
        before = sum(amount for at, amount in spent[:n] if at > end - MINUTE)
        assert before < most
