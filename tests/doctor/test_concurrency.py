"""Six requests at once."""

import asyncio
from pathlib import Path

import pytest

from graphrelay.doctor import concurrency
from graphrelay.doctor.concurrency import PATIENCE, Gathering, HeldBack
from tests.clock import FakeClock, settle
from tests.doctor.practice import HurriedClock
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(concurrency), ids=str)
async def test_another_limit_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)


async def test_the_end_of_six_requests_is_held_back_until_all_have_begun() -> None:
    gathering, passed = Gathering(2, HurriedClock()), asyncio.Event()

    async def one() -> None:
        gathering.come()
        await gathering.all_there()
        passed.set()

    first = asyncio.create_task(one())
    await settle()
    assert not passed.is_set()
    gathering.come()
    await first


async def test_nobody_is_held_back_for_ever() -> None:
    clock = FakeClock()
    waiting = asyncio.create_task(Gathering(2, clock).all_there())
    await clock.advance(PATIENCE)
    await waiting


async def test_whoever_is_answered_early_has_come() -> None:
    gathering = Gathering(1, HurriedClock())
    octets = HeldBack(gathering).chunks()
    await anext(octets)
    await octets.aclose()
    await gathering.all_there()


async def test_a_request_has_as_many_octets_as_it_says() -> None:
    held = HeldBack(Gathering(1, HurriedClock()))
    assert sum([len(piece) async for piece in held.chunks()]) == held.size
