"""One query for all requests."""

from datetime import timedelta

from graphrelay.console.live import PAUSE
from graphrelay.console.metrics.snapshot import Snapshots
from graphrelay.control.verb import Output
from tests.clock import FakeClock


async def test_a_snapshot_is_kept_for_a_few_seconds() -> None:
    clock, asked = FakeClock(), list[str]()

    async def ask(verb: str, **_: object) -> list[Output]:
        asked.append(verb)
        return [{"asked": len(asked)}]

    snapshots = Snapshots(ask, clock)
    first = await snapshots.latest()
    await clock.advance(PAUSE - timedelta(milliseconds=1))
    assert await snapshots.latest() is first
    assert asked == ["figures", "lanes", "status"]
    await clock.advance(timedelta(milliseconds=1))
    assert await snapshots.latest() is not first
