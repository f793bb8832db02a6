"""One sleep for all lanes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from graphrelay.model import Lane
from graphrelay.relay.queue.timer import Alarms
from tests.clock import FakeClock, settle
from tests.relay.delivery import ALERTS, INFO, LANE

SECOND = timedelta(seconds=1)


class Bells:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.alarms = Alarms(self.clock)
        self.rung: list[tuple[float, Lane]] = []
        self.start = self.clock.monotonic()

    def at(self, lane: Lane, seconds: float) -> None:
        self.alarms.set(lane, self.start + seconds * SECOND)

    def ring(self, lane: Lane) -> None:
        self.rung.append(((self.clock.monotonic() - self.start).total_seconds(), lane))


@asynccontextmanager
async def running() -> AsyncIterator[Bells]:
    bells = Bells()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(bells.alarms.run(bells.ring))
        await settle()
        yield bells
        task.cancel()


async def test_each_lane_is_rung_at_its_time() -> None:
    async with running() as bells:
        bells.at(LANE, 10)
        bells.at(INFO, 5)
        bells.at(ALERTS, 20)
        await bells.clock.advance(60 * SECOND)
        assert bells.rung == [(5, INFO), (10, LANE), (20, ALERTS)]


async def test_an_earlier_alarm_wakes_the_sleeper() -> None:
    async with running() as bells:
        bells.at(LANE, 1_000)
        await settle()
        bells.at(INFO, 3)
        await bells.clock.advance(10 * SECOND)
        assert bells.rung == [(3, INFO)]


async def test_a_later_alarm_does_not_replace_an_earlier_one_but_an_earlier_one_does() -> None:
    async with running() as bells:
        bells.at(LANE, 10)
        bells.at(LANE, 100)
        await bells.clock.advance(200 * SECOND)
        assert bells.rung == [(10, LANE)]
        bells.at(LANE, 400)
        bells.at(LANE, 300)
        await bells.clock.advance(300 * SECOND)
        assert bells.rung == [(10, LANE), (300, LANE)]


async def test_an_alarm_in_the_past_rings_at_once() -> None:
    async with running() as bells:
        bells.at(LANE, -5)
        await settle()
        assert bells.rung == [(0, LANE)]


async def test_an_alarm_set_while_ringing_is_not_lost() -> None:
    async with running() as bells:
        original = bells.ring

        def again(lane: Lane) -> None:
            original(lane)
            if len(bells.rung) < 5:
                bells.at(LANE, len(bells.rung) * 10)

        bells.ring = again  # type: ignore[method-assign]
        task = asyncio.ensure_future(bells.alarms.run(lambda lane: bells.ring(lane)))
        bells.at(LANE, 1)
        await bells.clock.advance(100 * SECOND)
        task.cancel()
        assert [at for at, _ in bells.rung] == [1, 10, 20, 30, 40]


async def test_without_alarms_nothing_sleeps() -> None:
    async with running() as bells:
        bells.at(LANE, 1)
        await bells.clock.advance(10 * SECOND)
        assert bells.clock.sleepers == 0
