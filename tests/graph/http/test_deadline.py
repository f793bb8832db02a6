"""A deadline that is moved passes when it says, with as few timers as can be."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.graph.http.deadline import MovingDeadline

SOON = timedelta(milliseconds=10)
LATER = timedelta(milliseconds=30)
NEVER = timedelta(days=1)


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each timer that is set would go off."""
    loop, found = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def noted(when: float, *args: Any, **named: Any) -> asyncio.TimerHandle:
        found.append(when)
        return call_at(when, *args, **named)

    monkeypatch.setattr(loop, "call_at", noted)
    return found


async def missed(deadline: MovingDeadline, *moves: timedelta | None) -> None:
    """Wait for it inside of its block."""
    async with deadline:
        for limit in moves:
            deadline.move(limit)
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    "moves",
    [(SOON,), (NEVER, SOON), (SOON, LATER), (None, SOON), (SOON, None, SOON)],
)
async def test_it_passes_wherever_it_was_before(moves: tuple[timedelta | None, ...]) -> None:
    loop, deadline = asyncio.get_running_loop(), MovingDeadline()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await missed(deadline, *moves)
    assert deadline.expired()
    assert loop.time() - began >= (moves[-1] or NEVER).total_seconds()


@pytest.mark.parametrize("last", [NEVER, None])
async def test_it_does_not_pass_where_it_was_before(last: timedelta | None) -> None:
    deadline, looked = MovingDeadline(), asyncio.Event()
    async with deadline:
        deadline.move(SOON)
        asyncio.get_running_loop().call_later(LATER.total_seconds(), looked.set)
        deadline.move(last)
        await looked.wait()
    assert not deadline.expired()


async def test_it_passes_after_a_time_without_one() -> None:
    deadline = MovingDeadline()
    asyncio.get_running_loop().call_later(LATER.total_seconds(), lambda: deadline.move(SOON))
    with pytest.raises(TimeoutError):
        await missed(deadline, SOON, None)


async def test_moving_it_to_a_later_time_sets_no_timer(timers: list[float]) -> None:
    deadline = MovingDeadline()
    async with deadline:
        for limit in (SOON, LATER, NEVER):
            deadline.move(limit)
    assert len(timers) == 1


async def test_it_cannot_be_moved_once_it_was_left(timers: list[float]) -> None:
    deadline = MovingDeadline()
    async with deadline:
        deadline.move(NEVER)
    with pytest.raises(RuntimeError):
        deadline.move(SOON)
    assert len(timers) == 1
