"""Streams: an event after each change, but never many; and a client that does not read is cut
off."""

import asyncio
from datetime import timedelta

import pytest

from graphrelay.console.live import (
    EACH,
    MOST,
    MOST_EACH,
    PAUSE,
    SIGN_OF_LIFE,
    UNREAD,
    Changes,
    stream,
)
from tests.clock import FakeClock, settle


class Reader:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def write(self, line: bytes) -> None:
        await self.reads.wait()
        self.lines.append(line)


async def test_however_much_happens_there_is_one_event_in_each_pause() -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    streaming = asyncio.create_task(stream(changes, clock, lambda: True, reader.write))
    await clock.advance(PAUSE)
    assert reader.lines == [b"data: 0\n\n"], "what happened while the page was loaded"
    for _ in range(100):
        changes.changed()
        await settle(2)
    assert len(reader.lines) == 1
    await clock.advance(PAUSE)
    assert reader.lines[1:] == [b"data: 100\n\n"]
    streaming.cancel()


async def test_an_event_comes_a_pause_after_the_change_so_that_older_answers_have_gone() -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    streaming = asyncio.create_task(stream(changes, clock, lambda: True, reader.write))
    await clock.advance(2 * PAUSE)
    changes.changed()
    await clock.advance(PAUSE - timedelta(milliseconds=1))
    assert len(reader.lines) == 1
    await clock.advance(timedelta(milliseconds=1))
    assert len(reader.lines) == 2
    streaming.cancel()


async def test_a_quiet_stream_shows_that_it_lives() -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    streaming = asyncio.create_task(stream(changes, clock, lambda: True, reader.write))
    await clock.advance(PAUSE + SIGN_OF_LIFE)
    assert reader.lines[1:] == [b": still here\n\n"]
    streaming.cancel()


async def test_a_browser_that_never_reads_is_cut_off() -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    reader.reads.clear()
    streaming = asyncio.create_task(stream(changes, clock, lambda: True, reader.write))
    await clock.advance(PAUSE + UNREAD)
    with pytest.raises(TimeoutError):
        await streaming


async def test_a_stream_ends_with_its_session() -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    is_open = True
    streaming = asyncio.create_task(stream(changes, clock, lambda: is_open, reader.write))
    await clock.advance(PAUSE)
    is_open = False
    await clock.advance(SIGN_OF_LIFE)
    await streaming


async def test_everybody_who_waits_hears_of_a_change() -> None:
    changes = Changes()
    waiting = [asyncio.create_task(changes.after(0)) for _ in range(10)]
    await settle()
    changes.changed()
    assert await asyncio.gather(*waiting) == [1] * 10


def stays() -> bool:
    return False


def test_a_session_and_all_together_have_only_so_many() -> None:
    changes = Changes()
    entered = [changes.enter(b"a", stays) for _ in range(MOST_EACH + 1)]
    assert [one is not None for one in entered] == [True] * MOST_EACH + [False]
    others = [changes.enter(bytes([n]), stays) for n in range(MOST - MOST_EACH)]
    assert all(others)
    assert not changes.enter(b"last", stays)
    assert entered[0] is not None
    changes.leave(entered[0])
    assert changes.enter(b"last", stays)


def test_a_stream_whose_browser_has_left_makes_room_before_its_handler_ends() -> None:
    changes, left = Changes(), set[int]()
    entered = [changes.enter(b"a", lambda n=n: n in left) for n in range(MOST_EACH)]  # type: ignore[misc]
    assert not changes.enter(b"a", stays)
    left.add(0)
    assert changes.enter(b"a", stays)
    assert entered[0] is not None
    changes.leave(entered[0])
    assert not changes.enter(b"a", stays), "its end is not counted twice"


@pytest.mark.parametrize(("streams", "pause"), [(1, PAUSE), (10, 10 * EACH)])
async def test_the_more_pages_are_open_the_less_often_each_is_renewed(
    streams: int, pause: timedelta
) -> None:
    changes, clock, reader = Changes(), FakeClock(), Reader()
    assert all(changes.enter(b"%d" % number, stays) for number in range(streams))
    streaming = asyncio.create_task(stream(changes, clock, lambda: True, reader.write))
    await clock.advance(pause - timedelta(milliseconds=1))
    assert not reader.lines
    await clock.advance(timedelta(milliseconds=1))
    assert len(reader.lines) == 1
    streaming.cancel()
