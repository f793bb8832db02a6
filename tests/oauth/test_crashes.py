"""A crash between any two steps leaves a working authorization."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.oauth.answers import Granted, Unauthorized
from graphrelay.oauth.sign_in.authorizer import Stored
from graphrelay.oauth.vault.vault import Vault
from tests.oauth.conftest import WEBSITE, World

A_DAY_AND_MORE = timedelta(hours=30)


class Crash(BaseException):
    """Power is lost."""


@contextmanager
def dying_at(step: int) -> Iterator[Callable[[], bool]]:
    """Each call that changes the disk is a step: the process dies before the given one, and does
    nothing more. Reports whether it got there."""
    left = step
    dead = False

    def mortal(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            nonlocal left, dead
            if threading.current_thread().name != "vault":
                return real(*args, **more)
            dead = dead or left == 0
            left -= 1
            if dead:
                raise Crash
            return real(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", mortal(os.fsync))
        patch.setattr(os, "link", mortal(os.link))
        patch.setattr(Path, "replace", mortal(Path.replace))
        patch.setattr(Path, "unlink", mortal(Path.unlink))
        yield lambda: dead


@pytest.mark.parametrize("step", range(4))
async def test_a_crash_while_renewing_leaves_a_working_authorization(
    world: World, step: int
) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    with dying_at(step) as died:
        with suppress(Crash):
            await manager.token("website")
        assert died() is (step < 3), "a renewal has three steps"
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await world.manager(WEBSITE).token("website"), Granted)


@pytest.mark.parametrize("step", range(7))
async def test_a_crash_while_authorizing_first_leaves_none_or_a_working_one(
    world: World, step: int
) -> None:
    with dying_at(step) as died:
        with suppress(Crash):
            await world.authorize(world.manager(WEBSITE))
        crashed = died()
    answer = await world.manager(WEBSITE).token("website")
    assert isinstance(answer, Granted | Unauthorized)
    assert crashed or isinstance(answer, Granted)
    assert isinstance(await world.authorize(world.manager(WEBSITE)), Stored)


@pytest.mark.parametrize("step", range(4))
async def test_a_crash_while_authorizing_again_leaves_the_old_or_the_new(
    world: World, step: int
) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    with dying_at(step), suppress(Crash):
        await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await world.manager(WEBSITE).token("website"), Granted)


@pytest.mark.parametrize("step", range(3))
async def test_a_crash_while_revoking_leaves_it_or_nothing(world: World, step: int) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    with dying_at(step), suppress(Crash):
        await manager.revoke("website")
    answer = await world.manager(WEBSITE).token("website")
    assert isinstance(answer, Granted | Unauthorized)


WRITER = """
import sys
from pathlib import Path
from graphrelay.oauth.vault.vault import open_vault
from graphrelay.oauth.vault.vault import Put

vault = open_vault(Path(sys.argv[1]), "file")
while True:
    vault.change("n", lambda text: Put(str(int(text or "0") + 1).rjust(3000)))
    print(int(vault.read("n")), flush=True)
"""


def test_processes_that_are_killed_while_they_write_lose_nothing(
    tmp_path: Path, make_vault: Callable[[], Vault]
) -> None:
    """Real processes, kill -9 at arbitrary moments; two write at once."""
    told = 0
    for round_ in range(4):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(3 + round_):
                told = max(told, int(writer.stdout.readline()))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout is not None
            told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
            writer.stdout.close()
            writer.wait(20)
        found = int(make_vault().read("n") or "0")
        assert told <= found <= told + 2, "one write each may have been made and not yet told"
