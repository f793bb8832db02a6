"""Limits how much a lane sends in a period, so that Exchange's limits are never reached.

    Exchange Online, for an application and a mailbox       10,000 requests in 10 minutes
                                                            150 MB of upload in 5 minutes
    for a mailbox                                           30 messages a minute
                                                            10,000 recipients in 24 hours

https://learn.microsoft.com/en-us/graph/throttling-limits#outlook-service-limits and
https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits#sending-limits

A window slides in sixty steps. A request is counted when it ends, so that a budget may be exceeded
by what four requests carry. The counts start at zero with the process; then it may be Exchange's
answer that stops the lane.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

STEPS = 60

What = Literal["requests", "octets", "messages", "recipients"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` within any `window`."""

    what: What
    most: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Spent:
    """What an attempt used."""

    requests: int = 0
    octets: int = 0
    messages: int = 0
    recipients: int = 0


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class Use:
    """A budget as shown to administrators."""

    limit: Limit
    used: int
    exhausted_in: timedelta | None
    """When the budget will be used up at the present rate; `None` if never, or if there is no rate
    yet."""


class Budget:
    """All limits of one lane. Times are monotonic."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._windows = [_Window(limit) for limit in limits]

    def spend(self, spent: Spent, now: timedelta) -> None:
        for window in self._windows:
            amount: int = getattr(spent, window.limit.what)
            window.add(amount, now)

    def free_at(self, now: timedelta) -> timedelta:
        """When the lane may send again; not after `now` if it may already."""
        return max((window.free_at(now) for window in self._windows), default=now)

    def exhausted(self, now: timedelta) -> tuple[Limit, ...]:
        """The limits that are reached."""
        return tuple(window.limit for window in self._windows if window.free_at(now) > now)

    def empty_at(self, now: timedelta) -> timedelta:
        """When all counts have expired."""
        return max((window.empty_at(now) for window in self._windows), default=now)

    def uses(self, now: timedelta) -> tuple[Use, ...]:
        return tuple(window.use(now) for window in self._windows)


class _Window:
    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._step = limit.window / STEPS
        self._steps: deque[tuple[int, int]] = deque()
        """(number of the step, amount), oldest first."""
        self._used = 0

    def add(self, amount: int, now: timedelta) -> None:
        if amount <= 0:
            return
        self._forget(now)
        number = now // self._step
        self._used += amount
        if self._steps and self._steps[-1][0] == number:
            amount += self._steps.pop()[1]
        self._steps.append((number, amount))

    def free_at(self, now: timedelta) -> timedelta:
        if self._used < self.limit.most:
            return now
        self._forget(now)
        left = self._used
        for number, amount in self._steps:
            if left < self.limit.most:
                break
            left -= amount
            at = self._gone_at(number)
            if left < self.limit.most:
                return at
        return now

    def empty_at(self, now: timedelta) -> timedelta:
        self._forget(now)
        return self._gone_at(self._steps[-1][0]) if self._steps else now

    def use(self, now: timedelta) -> Use:
        self._forget(now)
        if not self._steps:
            return Use(self.limit, 0, None)
        since = now - self._steps[0][0] * self._step
        left = self.limit.most - self._used
        if left <= 0:
            return Use(self.limit, self._used, timedelta(0))
        pace = self._used / max(since, self._step).total_seconds()
        whole_window = pace * self.limit.window.total_seconds()
        exhausted_in = timedelta(seconds=left / pace) if whole_window > self.limit.most else None
        return Use(self.limit, self._used, exhausted_in)

    def _gone_at(self, number: int) -> timedelta:
        return (number + 1) * self._step + self.limit.window

    def _forget(self, now: timedelta) -> None:
        while self._steps and self._gone_at(self._steps[0][0]) <= now:
            self._used -= self._steps.popleft()[1]


_WORDS = {"octets": "octets of upload"}


def in_words(limits: Iterable[Limit]) -> str:
    """Such as `10,000 recipients in 24 hours are used up`."""
    budgets = " and ".join(
        f"{limit.most:,} {_WORDS.get(limit.what, limit.what)} in {_time(limit.window)}"
        for limit in limits
    )
    return f"{budgets} are used up"


def _time(window: timedelta) -> str:
    minutes = round(window.total_seconds() / 60)
    if minutes == 1:
        return "a minute"
    return f"{minutes // 60} hours" if minutes % 60 == 0 and minutes > 60 else f"{minutes} minutes"
