"""The figures of the plots: what the mail log has for the last day and the last 30.

A day that is over does not change, so it is counted once; and however many pages are open, the log
is read only once in a while.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from graphrelay.console.desk import Desk
from graphrelay.console.shared import SharedAnswer

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
HOURS: Final = 24
DAYS: Final = 30


@dataclass(slots=True)
class Interval:
    """The results of mail in an hour or a day."""

    start: datetime
    counts: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    """Seconds from reception to the relaying, for all that was relayed."""


class Tallies:
    """Of one console."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._over: dict[timedelta, list[Interval]] = {}
        self._day = SharedAnswer(desk.clock, lambda: self._lately(HOUR, HOURS, waits=True))
        self._month = SharedAnswer(desk.clock, lambda: self._lately(DAY, DAYS))

    async def day(self) -> list[Interval]:
        """24 hours, oldest first; the last one is not over."""
        return await self._day.get()

    async def month(self) -> list[Interval]:
        """30 days of UTC, oldest first; the last one is not over."""
        return await self._month.get()

    def today(self, day: list[Interval]) -> Interval:
        """The results of mail since midnight in UTC."""
        now = self._desk.clock.now()
        total = Interval(_floor(now, DAY))
        for interval in day:
            if interval.start >= total.start:
                total.counts += interval.counts
                total.waited += interval.waited
        return total

    async def _lately(self, step: timedelta, count: int, *, waits: bool = False) -> list[Interval]:
        last = _floor(self._desk.clock.now(), step)
        starts = [last - step * back for back in reversed(range(count))]
        over = {interval.start: interval for interval in self._over.get(step, [])}
        fresh = {start: Interval(start) for start in starts if start not in over}
        rows = await self._desk.ask(
            "tally", since=min(fresh).isoformat(), step=int(step.total_seconds()), waits=waits
        )
        for row in rows:
            if interval := fresh.get(datetime.fromisoformat(row["start"])):
                interval.counts[row["outcome"]] += row["count"]
                if row["outcome"] == "relayed":
                    interval.waited += row["waited"]
        found = [over.get(start) or fresh[start] for start in starts]
        self._over[step] = found[:-1]
        return found


def _floor(moment: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // step * step
