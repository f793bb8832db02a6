"""A real daemon that runs out of descriptors, or of memory: it refuses mail, and recovers by
itself."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from graphrelay.sandbox import Sandbox
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, emptied, judge, relaying

Here = tuple[Sandbox, Daemon, Flood]

SPARE = 1 << 20
"""Memory that the daemon has beyond what it has when it is idle."""
HALF_A_MESSAGE = (
    b"EHLO crowd.example\r\nMAIL FROM:<wp@contoso.com>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n"
    + b"as much as is kept in memory, but for some octets\r\n" * 1000
)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with relaying(tmp_path) as (cloud, daemon, flood):
        # Otherwise it has all the memory that the arenas of its threads have reserved.
        daemon.environment["MALLOC_ARENA_MAX"] = "1"
        await daemon.authorize()
        await daemon.start()
        await flood.greeted()
        await flood.send(20, 4)
        yield cloud, daemon, flood


@contextlib.contextmanager
def limited(daemon: Daemon, what: int, most: int) -> Iterator[None]:
    before = resource.prlimit(daemon.pid, what)
    resource.prlimit(daemon.pid, what, (most, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was stopped meanwhile
            resource.prlimit(daemon.pid, what, before)


async def started_again(daemon: Daemon, flood: Flood) -> int:
    """As systemd does where it has ended: Python itself gives up now and then. How often."""
    greeted = asyncio.create_task(flood.greeted())
    ended = asyncio.create_task(daemon.ends())
    done, _ = await asyncio.wait({greeted, ended}, return_when=asyncio.FIRST_COMPLETED)
    if greeted in done:
        ended.cancel()
        return 0
    assert ended.result() != 0
    await daemon.start()
    await greeted
    return 1


async def all_is_well_again(here: Here, kills: int = 0) -> None:
    cloud, daemon, flood = here
    async with asyncio.timeout(60):
        await flood.send(50, 10)
        await emptied(daemon, flood, cloud.mailboxes.submissions)
    await daemon.stop()
    uncertain = daemon.journal.count(" uncertain ")
    verdict = judge(flood, cloud.mailboxes.submissions, kills=kills, withheld=uncertain)
    assert verdict.holds, verdict
    assert all(reply[:3] in ("421", "451", "452") for reply in flood.told.refused)
    assert verdict.acknowledged >= 70


async def test_without_descriptors_it_waits_for_some_and_goes_on(here: Here) -> None:
    _, daemon, flood = here
    used = len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))
    with limited(daemon, resource.RLIMIT_NOFILE, used + 8):
        crowd = [await flood.connect() for _ in range(40)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(flood.send(5, 2), 2)
        for writer in crowd:
            writer.close()
        assert "Too many open files" in daemon.journal
        await all_is_well_again(here)


async def test_without_memory_nothing_that_was_acknowledged_is_lost(here: Here) -> None:
    _, daemon, flood = here
    status = Path(f"/proc/{daemon.pid}/status").read_text("ascii")
    (size,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize"))
    crowd = []
    with limited(daemon, resource.RLIMIT_AS, (size << 10) + SPARE):
        async with asyncio.timeout(60):
            while not daemon.ended and "MemoryError" not in daemon.journal:
                reader, writer = await asyncio.open_connection("127.0.0.1", flood.port)
                crowd.append(writer)
                writer.write(HALF_A_MESSAGE)
                with contextlib.suppress(ConnectionError):
                    await reader.read(1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(flood.send(100, 20), 1)
    for writer in crowd:
        writer.close()
    await all_is_well_again(here, kills=await started_again(daemon, flood))
