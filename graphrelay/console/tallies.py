"""The figures of the plots: what the mail log has for each hour of the last 30 days.

    mail log ─▶ hours ─┬─▶ the last 24 of them
                       └─▶ the last 30 days, as the zone of the relay's machine has them

An hour that is over does not change, so it is counted once. Hours are counted from a midnight, so
that they make whole days also in zones that are not whole hours from UTC.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from graphrelay.console.asking import Ask
from graphrelay.spool.queries import HOUR

HOURS: Final = 24
DAYS: Final = 30


@dataclass(slots=True)
class Interval:
    """The results of mail in an hour or a day."""

    start: datetime
    counts: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0
    """Seconds from reception to the relaying, for all that was relayed; of the last `HOURS`."""


@dataclass(frozen=True, slots=True)
class Lately:
    """Oldest first; the last hour and the last day are not over."""

    hours: Sequence[Interval]
    days: Sequence[Interval]
    """They start in their zone, the hours in UTC."""


class Tallies:
    """Of one console. `zone`: that of days; `None` for the machine's own."""

    def __init__(self, ask: Ask, zone: tzinfo | None) -> None:
        self._ask = ask
        self._zone = zone
        self._over: dict[datetime, Interval] = {}

    async def lately(self, now: datetime) -> Lately:
        """Raises `VerbError` when the spool cannot be read."""
        midnights = [midnight(now, self._zone, back) for back in reversed(range(DAYS))]
        first = midnights[0]
        starts = [first + HOUR * number for number in range((now - first) // HOUR + 1)]
        hours = await self._counted(starts)
        self._over = {hour.start: hour for hour in hours[:-1]}
        places = [(start - first) // HOUR for start in midnights]
        days = [
            _total(start.astimezone(self._zone), hours[place:end])
            for start, place, end in zip(midnights, places, [*places[1:], None], strict=True)
        ]
        return Lately(hours[-HOURS:], days)

    async def _counted(self, starts: Sequence[datetime]) -> list[Interval]:
        fresh = {start: Interval(start) for start in starts if start not in self._over}
        lately, first = starts[-HOURS], min(fresh)
        if first < lately:
            older = {start: one for start, one in fresh.items() if start < lately}
            await self._count(older, first, waits=False)
        newer = {start: one for start, one in fresh.items() if start >= lately}
        await self._count(newer, min(newer), waits=True)
        return [self._over.get(start) or fresh[start] for start in starts]

    async def _count(
        self, hours: dict[datetime, Interval], since: datetime, *, waits: bool
    ) -> None:
        for row in await self._ask("tally", since=since.isoformat(), waits=waits):
            if hour := hours.get(datetime.fromisoformat(row["start"])):
                hour.counts[row["outcome"]] += row["count"]
                if row["outcome"] == "relayed":
                    hour.waited += row["waited"]


def midnight(now: datetime, zone: tzinfo | None, back: int = 0) -> datetime:
    """The start of the day that is `back` days ago in a zone."""
    day = now.astimezone(zone).date() - timedelta(days=back)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _total(start: datetime, hours: Sequence[Interval]) -> Interval:
    total = Interval(start)
    for hour in hours:
        if hour.counts:
            total.counts += hour.counts
            total.waited += hour.waited
    return total
