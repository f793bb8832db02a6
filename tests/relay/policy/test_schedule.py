"""When a message is tried again, whatever the clocks and the random numbers are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.relay.policy.schedule import (
    DeliveryPolicy,
    attempts_needed,
    backoff,
    longest_wait,
    next_attempt,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))
POLICY = DeliveryPolicy()


def waits(policy: DeliveryPolicy, jitter: float) -> list[timedelta]:
    """The waits between attempts when all of them fail."""
    now, made, found = NOW, 1, []
    while (following := next_attempt(made, NOW, now, policy, jitter)) is not None:
        found.append(following - now)
        now, made = following, made + 1
    return found


def test_first_retries_are_quick_and_later_ones_hourly() -> None:
    expected = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert [wait.total_seconds() for wait in waits(POLICY, 0.0)[:9]] == expected


def test_jitter_only_shortens_a_wait_and_by_a_quarter_at_most() -> None:
    for plain, shortened in zip(waits(POLICY, 0.0)[:50], waits(POLICY, 1.0)[:50], strict=True):
        assert shortened == plain * 0.75


def test_the_last_attempt_falls_on_the_end_of_the_lifetime() -> None:
    assert sum(waits(POLICY, 0.3), timedelta(0)) == POLICY.lifetime


def test_retry_after_is_never_undercut() -> None:
    assert next_attempt(1, NOW, NOW, POLICY, 1.0, 50 * MINUTE) == NOW + 50 * MINUTE
    assert next_attempt(9, NOW, NOW, POLICY, 0.0, SECOND) == NOW + HOUR


def test_retry_after_is_not_undercut_by_the_end_of_the_lifetime_either() -> None:
    received_at = NOW - POLICY.lifetime + MINUTE
    assert next_attempt(50, received_at, NOW, POLICY, 0.0, HOUR) == NOW + HOUR


def test_at_the_end_of_its_lifetime_a_message_is_given_up() -> None:
    assert next_attempt(50, NOW - POLICY.lifetime, NOW, POLICY, 0.0) is None


def test_a_clock_that_jumped_ahead_gives_nothing_up_before_a_fair_number_of_attempts() -> None:
    long_ago = NOW - 1000 * DAY
    assert next_attempt(1, long_ago, NOW, POLICY, 0.0) == NOW + 30 * SECOND
    assert next_attempt(11, long_ago, NOW, POLICY, 0.0) == NOW + HOUR
    assert next_attempt(12, long_ago, NOW, POLICY, 0.0) is None


def test_a_clock_that_was_set_back_makes_no_difference() -> None:
    assert next_attempt(1, NOW + 1000 * DAY, NOW, POLICY, 0.0) == NOW + 30 * SECOND


@pytest.mark.parametrize(
    ("lifetime", "needed"), [(SECOND, 1), (MINUTE, 1), (HOUR, 3), (DAY, 12), (5 * DAY, 12)]
)
def test_a_short_lifetime_needs_few_attempts(lifetime: timedelta, needed: int) -> None:
    assert attempts_needed(DeliveryPolicy(lifetime=lifetime)) == needed


def test_a_retry_max_below_retry_min_is_harmless() -> None:
    policy = DeliveryPolicy(retry_min=HOUR, retry_max=MINUTE)
    assert backoff(5, policy) == HOUR
    assert longest_wait(policy, MINUTE) == HOUR


@given(
    attempts=st.integers(0, 10_000),
    received=st.timedeltas(-DAY * 10_000, DAY * 10_000),
    jitter=st.floats(0, 1),
    retry_after=st.none() | st.timedeltas(timedelta(0), HOUR),
)
def test_the_next_attempt_is_never_in_the_past_and_never_far_off(
    attempts: int, received: timedelta, jitter: float, retry_after: timedelta | None
) -> None:
    following = next_attempt(attempts, NOW + received, NOW, POLICY, jitter, retry_after)
    if following is not None:
        assert NOW < following <= NOW + longest_wait(POLICY, HOUR)
        assert following >= NOW + (retry_after or timedelta(0))


@given(st.timedeltas(SECOND, HOUR), st.timedeltas(SECOND, DAY), st.timedeltas(SECOND, 10 * DAY))
def test_every_message_is_given_up_some_day(
    retry_min: timedelta, retry_max: timedelta, lifetime: timedelta
) -> None:
    policy = DeliveryPolicy(retry_min=retry_min, retry_max=retry_max, lifetime=lifetime)
    if lifetime > 5_000 * max(retry_min, retry_max):
        return  # the same, only long
    total = sum(waits(policy, 0.5), timedelta(0))
    assert total >= lifetime
