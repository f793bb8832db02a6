"""One owner at a time, and a dead one does not count."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.spool.errors import SpoolInUse
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.files.lock import Lock
from tests.clock import FakeClock

HOLD = """
import sys
from pathlib import Path
from graphrelay.spool.sqlite.files.lock import Lock
lock = Lock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_second_owner_learns_who_the_first_is(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal):
        with pytest.raises(SpoolInUse, match=f"in use by process {os.getpid()}") as caught:
            async with SqliteSpool.open(tmp_path, clock, journal):
                pass
        assert caught.value.pid == os.getpid()


async def test_a_lock_of_a_dead_process_does_not_stand_in_the_way(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", HOLD, str(tmp_path)], stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    with pytest.raises(SpoolInUse) as caught:
        async with SqliteSpool.open(tmp_path, clock, journal):
            pass
    assert caught.value.pid == process.pid
    process.kill()
    await process.communicate()
    async with SqliteSpool.open(tmp_path, clock, journal):
        pass


async def test_a_refused_owner_disturbs_nothing(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        body = spool.incoming()
        await body.write(bytes(1_000_000))  # a body file with no row
        with pytest.raises(SpoolInUse):
            async with SqliteSpool.open(tmp_path, clock, journal):
                pass
        assert len(list((tmp_path / "bodies").iterdir())) == 1
        await body.discard()


BRIEFLY = """
import sys, time
from pathlib import Path
from graphrelay.spool.sqlite.files.lock import Lock
lock = Lock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
lock.give_back()
"""


async def test_a_daemon_waits_for_a_command_that_has_the_spool_and_others_give_way_to_it(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", BRIEFLY, str(tmp_path)], stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    lock = asyncio.create_task(asyncio.to_thread(Lock.take, tmp_path, timedelta(seconds=20)))
    await _waits(tmp_path)
    await process.communicate(b"\n")
    (await lock).give_back()
    Lock.take(tmp_path).give_back()


async def _waits(directory: Path) -> None:
    """Until a process that gives way reports that the order is not known."""
    while True:
        with pytest.raises(SpoolInUse) as caught:
            Lock.take(directory)
        if caught.value.pid is None:
            return
        await asyncio.sleep(0)


def test_patience_has_an_end(tmp_path: Path) -> None:
    lock = Lock.take(tmp_path)
    with pytest.raises(SpoolInUse, match=str(os.getpid())):
        Lock.take(tmp_path, timedelta(milliseconds=50))
    lock.give_back()
    Lock.take(tmp_path, timedelta(milliseconds=50)).give_back()
