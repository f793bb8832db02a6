"""The figures of the plots: read once in a while, and a day that is over only once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from graphrelay.console.live import PAUSE
from graphrelay.console.tallies import Tallies
from graphrelay.control.verb import Output
from tests.clock import FakeClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Asked:
    """A desk that counts the requests."""

    def __init__(self, *rows: Output) -> None:
        self.clock = FakeClock(NOON)
        self.rows = list(rows)
        self.asked: list[dict[str, Any]] = []

    async def ask(self, verb: str, **arguments: Any) -> list[Output]:
        assert verb == "tally"
        self.asked.append(arguments)
        return self.rows


def row(start: datetime, outcome: str, count: int, waited: float = 0) -> Output:
    return {"start": start.isoformat(), "outcome": outcome, "count": count, "waited": waited}


async def test_a_day_has_24_hours_and_the_last_one_is_now() -> None:
    desk = Asked(row(NOON, "relayed", 3, 1.5), row(NOON - timedelta(hours=13), "failed", 2))
    tallies = Tallies(desk)  # type: ignore[arg-type]
    day = await tallies.day()
    assert [one.start for one in (day[0], day[-1])] == [NOON - timedelta(hours=23), NOON]
    assert len(day) == 24
    today = tallies.today(day)
    assert dict(today.counts) == {"relayed": 3}, "yesterday evening is not today"
    assert today.waited == 1.5


async def test_however_many_look_the_log_is_read_once_in_a_while() -> None:
    desk = Asked()
    tallies = Tallies(desk)  # type: ignore[arg-type]
    for _ in range(10):
        await tallies.day()
        await tallies.month()
    assert len(desk.asked) == 2
    await desk.clock.advance(PAUSE)
    await tallies.day()
    assert len(desk.asked) == 3


async def test_a_day_that_is_over_is_counted_once() -> None:
    desk = Asked(row(NOON.replace(hour=0), "relayed", 3))
    tallies = Tallies(desk)  # type: ignore[arg-type]
    first = await tallies.month()
    assert desk.asked[0]["since"] == (NOON.replace(hour=0) - timedelta(days=29)).isoformat()
    await desk.clock.advance(timedelta(days=1))
    desk.rows = [row(NOON.replace(hour=0), "relayed", 4)]
    second = await tallies.month()
    assert desk.asked[1]["since"] == NOON.replace(hour=0).isoformat()
    assert second[-2].counts["relayed"] == 4, "it was not over when it was read"
    assert second[0] is first[1]
