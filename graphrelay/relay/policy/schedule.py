"""When a message is tried again, and when it is given up. Pure: time and randomness are parameters.

    attempt ──▶ 30 s ──▶ 1 min ──▶ 2 min ──▶ … ──▶ every hour ──▶ … ──▶ lifetime over

Each wait is shortened at random by up to a quarter, so that messages that failed together are not
retried together. It is never shorter than what Graph asked for (Retry-After).

The wall clock may be wrong. If it jumps ahead, mail is not given up: that also requires a number of
attempts. If it is set back, mail does not wait longer: no wait exceeds `longest_wait`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from graphrelay.relay.policy.budget import Limit

_MOST_NEEDED = 12
"""The most attempts that are required before the clock is trusted that the lifetime is over."""
_MOST_DOUBLINGS = 24  # beyond any retry_max, and within what a timedelta holds
_JITTER = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How long and how often mail is tried, and how much is sent at a time."""

    retry_min: timedelta = timedelta(seconds=30)
    retry_max: timedelta = timedelta(hours=1)
    lifetime: timedelta = timedelta(days=5)
    on_uncertain: Literal["retry", "hold"] = "retry"
    concurrency_per_mailbox: int = 4
    concurrency: int = 256
    """Requests in flight over all mailboxes."""
    budgets: tuple[Limit, ...] = ()
    """How much each lane may send in a period."""


def backoff(attempts: int, policy: DeliveryPolicy) -> timedelta:
    """The wait after the n-th attempt, before jitter."""
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return min(policy.retry_min * (1 << doublings), max(policy.retry_max, policy.retry_min))


def next_attempt(
    attempts: int,
    received_at: datetime,
    now: datetime,
    policy: DeliveryPolicy,
    jitter: float,
    retry_after: timedelta | None = None,
) -> datetime | None:
    """When to try again after `attempts` attempts; `None` if the message is to be given up.

    `jitter` is a random number from 0 to 1. The last attempt falls on the end of the lifetime.
    """
    deadline = received_at + policy.lifetime
    if now >= deadline and attempts >= attempts_needed(policy):
        return None
    wait = max(backoff(attempts, policy) * (1 - _JITTER * jitter), retry_after or timedelta(0))
    following = now + wait
    return deadline if now < deadline < following and retry_after is None else following


def attempts_needed(policy: DeliveryPolicy) -> int:
    """How many attempts are required before a message is given up: about half as many as fit into
    the lifetime without disturbance, and at most `_MOST_NEEDED`."""
    made, elapsed = 0, timedelta(0)
    while elapsed < policy.lifetime and made < 2 * _MOST_NEEDED:
        made += 1
        elapsed += backoff(made, policy)
    return max(1, made // 2)


def longest_wait(policy: DeliveryPolicy, longest_retry_after: timedelta) -> timedelta:
    """No message waits longer than this for its next attempt, whatever the clocks say."""
    return max(policy.retry_max, policy.retry_min, longest_retry_after)
