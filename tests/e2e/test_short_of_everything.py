"""A real daemon that runs out of descriptors: it refuses mail, and recovers by itself."""

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


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with relaying(tmp_path) as (cloud, daemon, flood):
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


async def all_is_well_again(here: Here) -> None:
    cloud, daemon, flood = here
    await flood.send(50, 10)
    async with asyncio.timeout(60):
        await emptied(daemon, flood, cloud.mailboxes.submissions)
    await daemon.stop()
    uncertain = daemon.journal.count(" uncertain ")
    verdict = judge(flood, cloud.mailboxes.submissions, kills=0, withheld=uncertain)
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
