"""Exchange's limits for one application and one mailbox: four requests at once, and budgets for a
period of time. A request above them gets 429 and is not processed."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graphrelay.sandbox.directory import User
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.mailbox import Mailboxes

REQUEST_WINDOW = timedelta(minutes=10)
UPLOAD_WINDOW = timedelta(minutes=5)


class Gate:
    """Counts the requests in flight."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._inside: Counter[tuple[str, str]] = Counter()
        self._requests: dict[tuple[str, str], _Window] = {}
        self._uploads: dict[tuple[str, str], _Window] = {}

    @contextmanager
    def passing(self, client_id: str, box: User, octets: int, now: datetime) -> Iterator[None]:
        """Admit one request, or raise `GraphError`. `octets` is the size of its upload."""
        key = (client_id, box.oid)
        self._inside[key] += 1
        try:
            self._mailboxes.note_in_flight(box, self._inside[key])
            self._check_concurrency(key)
            self._check_budgets(key, octets, now)
            yield
        finally:
            self._inside[key] -= 1

    def _check_concurrency(self, key: tuple[str, str]) -> None:
        settings = self._mailboxes.settings
        if self._inside[key] > settings.in_flight_limit:
            wait = settings.in_flight_retry_after
            raise GraphError(
                "ApplicationThrottled", headers={} if wait is None else {"Retry-After": wait}
            )

    def _check_budgets(self, key: tuple[str, str], octets: int, now: datetime) -> None:
        settings = self._mailboxes.settings
        for limit, windows, window, amount in (
            (settings.requests_per_10_minutes, self._requests, REQUEST_WINDOW, 1),
            (settings.upload_octets_per_5_minutes, self._uploads, UPLOAD_WINDOW, octets),
        ):
            if limit is not None:
                windows.setdefault(key, _Window()).spend(amount, limit, window, now)


@dataclass(slots=True)
class _Window:
    """What was used within the last period."""

    spent: deque[tuple[datetime, int]] = field(default_factory=deque)
    total: int = 0

    def spend(self, amount: int, limit: int, window: timedelta, now: datetime) -> None:
        while self.spent and self.spent[0][0] <= now - window:
            self.total -= self.spent.popleft()[1]
        if self.total + amount > limit and self.spent:
            wait = self.spent[0][0] + window - now
            raise GraphError(
                "TooManyRequests", headers={"Retry-After": str(max(1, int(wait.total_seconds())))}
            )
        self.spent.append((now, amount))
        self.total += amount
