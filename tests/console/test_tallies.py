"""The figures of the plots: an hour that is over is counted once, and days are those of a zone."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from graphrelay.console.tallies import DAYS, HOURS, Tallies, midnight
from graphrelay.control.verb import Output
from graphrelay.spool.queries import HOUR

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIDNIGHT = NOON.replace(hour=0)
DAY = timedelta(days=1)
INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
BERLIN = ZoneInfo("Europe/Berlin")


class Log:
    """Answers with all that it has since a moment, and keeps the requests."""

    def __init__(self, *rows: Output) -> None:
        self.rows = list(rows)
        self.asked: list[tuple[datetime, bool]] = []

    async def ask(self, verb: str, **arguments: Any) -> list[Output]:
        assert verb == "tally"
        since = datetime.fromisoformat(arguments["since"])
        self.asked.append((since, arguments["waits"]))
        return [row for row in self.rows if datetime.fromisoformat(row["start"]) >= since]


def row(start: datetime, outcome: str, count: int, waited: float = 0) -> Output:
    return {"start": start.isoformat(), "outcome": outcome, "count": count, "waited": waited}


async def test_the_last_hours_and_days_end_with_what_is_not_over() -> None:
    log = Log(row(NOON, "relayed", 3, 1.5), row(NOON - 13 * HOUR, "failed", 2))
    lately = await Tallies(log.ask, UTC).lately(NOON + HOUR / 2)
    assert [one.start for one in lately.hours] == [NOON - n * HOUR for n in reversed(range(HOURS))]
    assert [one.start for one in lately.days] == [MIDNIGHT - n * DAY for n in reversed(range(DAYS))]
    yesterday, today = lately.days[-2:]
    assert dict(today.counts) == {"relayed": 3}
    assert dict(yesterday.counts) == {"failed": 2}, "yesterday evening is not today"
    assert today.waited == 1.5


async def test_a_day_begins_at_midnight_in_its_zone() -> None:
    start = datetime(2026, 11, 23, tzinfo=INDIA)
    log = Log(row(start - HOUR, "relayed", 1), row(start, "relayed", 2))
    lately = await Tallies(log.ask, INDIA).lately(start + 3 * HOUR)
    assert [(one.start.isoformat(), one.counts["relayed"]) for one in lately.days[-2:]] == [
        ("2026-11-22T00:00:00+05:30", 1),
        ("2026-11-23T00:00:00+05:30", 2),
    ]
    assert lately.hours[-1].start.minute == 30, "hours of UTC would not make whole days"


async def test_a_day_in_which_clocks_change_has_all_of_its_hours() -> None:
    """On 25 October 2026 it has 25 in Berlin."""
    start = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
    log = Log(*(row(start + n * HOUR, "relayed", 1) for n in range(-1, 26)))
    lately = await Tallies(log.ask, BERLIN).lately(start + 30 * HOUR)
    assert [one.counts["relayed"] for one in lately.days[-3:]] == [1, 25, 1]


async def test_an_hour_that_is_over_is_counted_once() -> None:
    log = Log(row(NOON, "relayed", 3), row(NOON - 20 * DAY, "relayed", 1))
    tallies = Tallies(log.ask, UTC)
    first = await tallies.lately(NOON)
    assert log.asked == [
        (MIDNIGHT - (DAYS - 1) * DAY, False),
        (NOON - (HOURS - 1) * HOUR, True),
    ], "how long mail was under way is shown of the last hours alone"
    log.asked.clear()
    log.rows = [row(NOON, "relayed", 4), row(NOON - HOUR, "relayed", 9)]
    second = await tallies.lately(NOON + HOUR)
    assert log.asked == [(NOON, True)]
    assert second.hours[-2].counts["relayed"] == 4, "it was not over when it was read"
    assert second.hours[0] is first.hours[1]
    assert second.days[-21].counts["relayed"] == 1


def test_midnight_is_that_of_the_zone() -> None:
    assert midnight(NOON, UTC) == MIDNIGHT
    assert midnight(NOON, BERLIN, 60).isoformat() == "2026-09-23T22:00:00+00:00"
    assert midnight(NOON, None) <= NOON < midnight(NOON, None) + 25 * HOUR
