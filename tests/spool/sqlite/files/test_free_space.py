"""The free space is queried rarely, but never too late."""

from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.files.free_space import PLENTY, Room
from tests.clock import FakeClock
from tests.spool.faulty import FaultyDisk

RESERVE = 10 << 20


def room(free: int) -> tuple[Room, FaultyDisk, FakeClock]:
    disk, clock = FaultyDisk(), FakeClock()
    disk.free_octets = free
    return Room(Path(), disk, clock, RESERVE), disk, clock


async def test_with_plenty_of_room_the_system_is_asked_once_a_second() -> None:
    asked, disk, clock = room(RESERVE + PLENTY)
    for _ in range(1000):
        asked.require()
    assert disk.looks == 1
    await clock.advance(timedelta(seconds=1))
    asked.require()
    assert disk.looks == 2


def test_when_room_is_short_the_system_is_asked_each_time() -> None:
    asked, disk, _ = room(RESERVE + PLENTY - 1)
    for _ in range(10):
        asked.require()
    assert disk.looks == 10
    disk.free_octets = RESERVE - 1
    with pytest.raises(StorageUnavailable, match="9 MB are free"):
        asked.require()


async def test_a_refusal_is_never_remembered() -> None:
    asked, disk, _ = room(0)
    with pytest.raises(StorageUnavailable):
        asked.require()
    disk.free_octets = RESERVE + PLENTY
    asked.require()


async def test_a_disk_that_fills_up_is_seen_a_second_later() -> None:
    asked, disk, clock = room(RESERVE + PLENTY)
    asked.require()
    disk.free_octets = 0
    await clock.advance(timedelta(seconds=1))
    with pytest.raises(StorageUnavailable):
        asked.require()
