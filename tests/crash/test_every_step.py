"""The process dies, and the disk fails, at every single step that it takes on the disk."""

import errno
import os
import shutil

import pytest

from tests.crash.conftest import Crasher
from tests.crash.truth import check

EVERY = int(os.environ.get("GRAPHRELAY_CRASH_EVERY", "5"))
"""Of the hundreds of writes, which ones fail: 1 for each. Killed it is at each, always."""


async def test_without_faults_everything_is_kept(crasher: Crasher) -> None:
    directory, promises, killed = crasher.run()
    assert not killed
    assert promises.ended
    assert promises.steps > 100
    assert all(len(states) == 1 for states in promises.allowed.values())
    assert await check(directory, promises) == []


@pytest.mark.parametrize("act", ["k", "t"])
async def test_killed_at_every_step_it_has_what_it_promised(crasher: Crasher, act: str) -> None:
    only = "w" if act == "t" else ""
    at = kills = 0
    killed = True
    while killed:
        at += 1
        directory, promises, killed = crasher.run(at=at, act=act, only=only)
        events = {entry.event for entry in await check(directory, promises)}
        assert events <= {"spool-swept"}
        kills += killed
        shutil.rmtree(directory)
    print(f"killed at each of {kills} steps")
    assert kills > (40 if act == "t" else 100)


FAILURES = [
    ("w", errno.ENOSPC, 1),
    ("w", errno.ENOSPC, 3),
    ("w", errno.EIO, 1),
    ("f", errno.EIO, 1),
    ("f", errno.EIO, 2),
    ("c", errno.ENOSPC, 1),
    ("c", errno.EMFILE, 1),
    ("z", errno.EIO, 1),
    ("u", errno.EIO, 1),
    ("", errno.EROFS, 5),
]


@pytest.mark.parametrize(("only", "error", "times"), FAILURES)
async def test_a_disk_that_fails_at_every_step_costs_no_promise(
    crasher: Crasher, only: str, error: int, times: int
) -> None:
    directory, promises, _ = crasher.run(only=only)
    shutil.rmtree(directory)
    first = (error + times) % EVERY
    for at in range(1 + first, promises.steps + 1, EVERY if promises.steps > 100 else 1):
        directory, promises, killed = crasher.run(
            at=at, act="e", only=only, error=error, times=times
        )
        assert not killed
        assert promises.ended
        events = {entry.event for entry in await check(directory, promises)}
        assert events <= {"spool-swept"}
        shutil.rmtree(directory)


async def test_short_writes_at_every_step_change_nothing(crasher: Crasher) -> None:
    directory, promises, _ = crasher.run(only="w")
    shutil.rmtree(directory)
    for at in range(1, promises.steps + 1, EVERY):
        directory, promises, _ = crasher.run(at=at, act="s", only="w")
        assert all(len(states) == 1 for states in promises.allowed.values())
        assert await check(directory, promises) == []
        shutil.rmtree(directory)
