"""One query for all requests."""

from datetime import timedelta

from graphrelay.console.live import PAUSE
from graphrelay.console.metrics.snapshot import Snapshots
from graphrelay.control.verb import Output
from tests.clock import FakeClock


class Asked:
    """A desk that counts what is asked."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.asked: list[str] = []

    async def ask(self, verb: str, **_: object) -> list[Output]:
        self.asked.append(verb)
        return [{"asked": len(self.asked)}]


async def test_a_snapshot_is_kept_for_a_few_seconds() -> None:
    desk = Asked()
    snapshots = Snapshots(desk)  # type: ignore[arg-type]
    first = await snapshots.latest()
    await desk.clock.advance(PAUSE - timedelta(milliseconds=1))
    assert await snapshots.latest() is first
    assert desk.asked == ["figures", "lanes", "status"]
    await desk.clock.advance(timedelta(milliseconds=1))
    assert await snapshots.latest() is not first
