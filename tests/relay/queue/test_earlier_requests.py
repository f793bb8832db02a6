"""Requests of a relay that had the lane before count until they must be over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.model import Lane, StorageUnavailable
from graphrelay.relay.queue.earlier_requests import EarlierRequests
from graphrelay.spool.values import Interrupted
from tests.clock import FakeClock, settle
from tests.spool.mail import NOON, WEBSITE

SECOND = timedelta(seconds=1)
OTHER = Lane("other", "o@contoso.com")


def interrupted(number: int, settle_in: timedelta, lane: Lane = WEBSITE) -> Interrupted:
    return Interrupted(
        submission_id=number,
        queue_id="x",
        number=1,
        started_at=NOON,
        client_request_id="c",
        lane=lane,
        settle_in=settle_in,
    )


class Scene:
    """A spool that answers with `found`, and the results."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.found: list[Interrupted] = []
        self.counted: list[int | None] = []
        self.settled: list[int] = []
        self.away = False
        self.earlier = EarlierRequests(self, self.clock, self._settle, self._count)  # type: ignore[arg-type]

    async def read(self, _: Any) -> list[Interrupted]:
        if self.away:
            raise StorageUnavailable("away")
        return self.found

    async def _settle(self, one: Interrupted) -> None:
        if self.away:
            raise StorageUnavailable("away")
        self.settled.append(one.submission_id)

    def _count(self, lane: Lane, others: int | None) -> None:
        assert lane == WEBSITE
        self.counted.append(others)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    async with asyncio.TaskGroup() as tasks:
        scene.earlier.start(tasks)
        yield scene
        scene.earlier.cancel()


async def test_each_counts_until_its_time_limit_and_is_then_settled(scene: Scene) -> None:
    scene.found = [
        interrupted(1, 30 * SECOND),
        interrupted(2, 10 * SECOND),
        interrupted(3, 10 * SECOND, OTHER),
    ]
    scene.earlier.expect(WEBSITE)
    assert scene.counted == [None]
    await settle()
    assert scene.counted == [None, 2]
    await scene.clock.advance(10 * SECOND)
    assert (scene.settled, scene.counted[-1]) == ([2], 1)
    await scene.clock.advance(20 * SECOND)
    assert (scene.settled, scene.counted[-1]) == ([2, 1], 0)


async def test_a_lane_without_any_may_be_used_at_once(scene: Scene) -> None:
    scene.earlier.expect(WEBSITE)
    await settle()
    assert scene.counted == [None, 0]


async def test_a_lane_that_is_lost_again_is_left_to_its_owner(scene: Scene) -> None:
    scene.found = [interrupted(1, 10 * SECOND)]
    scene.earlier.expect(WEBSITE)
    await settle()
    scene.earlier.forget(WEBSITE)
    await scene.clock.advance(60 * SECOND)
    assert (scene.settled, scene.counted) == ([], [None, 1])


async def test_while_the_spool_is_away_it_is_tried_again(scene: Scene) -> None:
    scene.found = [interrupted(1, SECOND)]
    scene.away = True
    scene.earlier.expect(WEBSITE)
    await settle()
    assert scene.counted == [None]
    scene.away = False
    await scene.clock.advance(5 * SECOND)
    scene.away = True
    await scene.clock.advance(SECOND)
    assert scene.settled == []
    scene.away = False
    await scene.clock.advance(5 * SECOND)
    assert (scene.settled, scene.counted[-1]) == ([1], 0)
