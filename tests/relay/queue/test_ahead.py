"""What is read before its turn, and when it counts."""

import asyncio

from graphrelay.model import Lane, Waiting
from graphrelay.relay.deliver.result import Read
from graphrelay.relay.queue.ahead import Ahead
from tests.clock import FakeClock, settle
from tests.relay.delivery import INFO, LANE, submission

NOW = FakeClock().now()


def waiting(number: int, lane: Lane = LANE) -> Waiting:
    return Waiting(number, lane, NOW, NOW)


class Reader:
    """Reads what `gate` lets it read; what comes of it names the message."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun: list[int] = []
        self.ended: list[int] = []

    async def read(self, one: Waiting) -> Read | None:
        self.begun.append(one.submission_id)
        await self.gate.wait()
        self.ended.append(one.submission_id)
        return Read(submission(one.submission_id), None)


async def test_what_was_read_is_given_once() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    async with asyncio.TaskGroup() as tasks:
        ahead.look(waiting(1), tasks)
        reader.gate.set()
        await settle()
        found = ahead.take(waiting(1))
        assert found == Read(submission(1), None)
        assert ahead.take(waiting(1)) is None


async def test_what_is_still_being_read_when_its_turn_comes_is_left_to_its_carrier() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    async with asyncio.TaskGroup() as tasks:
        ahead.look(waiting(1), tasks)
        await settle()
        assert ahead.take(waiting(1)) is None
    assert (reader.begun, reader.ended) == ([1], [])


async def test_the_same_message_is_read_once_and_each_lane_has_its_own() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    reader.gate.set()
    async with asyncio.TaskGroup() as tasks:
        for number, lane in ((1, LANE), (1, LANE), (2, INFO)):
            ahead.look(waiting(number, lane), tasks)
        await settle()
        assert reader.ended == [1, 2]
        assert ahead.take(waiting(2, INFO)) is not None
        assert ahead.take(waiting(1)) is not None


async def test_whatever_else_is_taken_in_the_lane_what_was_read_is_thrown_away() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    reader.gate.set()
    async with asyncio.TaskGroup() as tasks:
        ahead.look(waiting(1), tasks)
        await settle()
        assert ahead.take(waiting(2)) is None
        assert ahead.take(waiting(1)) is None
        ahead.look(waiting(3), tasks)
        await settle()
        ahead.look(waiting(4), tasks)
        await settle()
        assert ahead.take(waiting(3)) is None
    assert reader.ended == [1, 3, 4]


async def test_a_message_that_has_moved_is_not_served_by_what_was_read_in_its_old_lane() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    async with asyncio.TaskGroup() as tasks:
        reader.gate.set()
        ahead.look(waiting(1), tasks)
        await settle()
        assert ahead.take(waiting(1, INFO)) is None


async def test_what_is_forgotten_is_not_read_to_its_end() -> None:
    reader = Reader()
    ahead = Ahead(reader.read)
    async with asyncio.TaskGroup() as tasks:
        ahead.look(waiting(1), tasks)
        ahead.look(waiting(2, INFO), tasks)
        await settle()
        ahead.forget(LANE)
        assert ahead.take(waiting(1)) is None
        ahead.forget_all()
        assert ahead.take(waiting(2, INFO)) is None
    assert (reader.begun, reader.ended) == ([1, 2], [])
