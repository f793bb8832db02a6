"""SIGKILL of a real process at each step of a renewal, and several processes at one vault."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphrelay.oauth.answers import Granted
from graphrelay.oauth.authorization import SignedIn
from graphrelay.oauth.sign_in.authorizer import Authorizer, Pending, Stored
from graphrelay.oauth.vault.vault import open_vault
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.visitor import Visitor
from tests.oauth.conftest import WEBSITE, files_only, stored
from tests.oauth.renewing import manager

STEPS = (
    "the request to Entra",
    "Entra's answer, with another refresh token",
    "the new file's way to the disk",
    "its taking the place of the old one",
    "the directory's way to the disk",
)


@dataclass
class Place:
    """A vault with an authorization in it."""

    cloud: Sandbox
    state: Path

    @property
    def arguments(self) -> tuple[str, str, str, str]:
        cloud = self.cloud
        return str(self.state), cloud.login_url, cloud.graph_url, str(cloud.ca_file)

    async def process(self, *rest: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.oauth.renewing", *self.arguments, *map(str, rest)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def refresh_token(self) -> str:
        vault = open_vault(self.state, "file", files_only(self.state))
        found = stored(vault)
        vault.close()
        assert isinstance(found, SignedIn)
        return found.signed_in.refresh_token

    async def works(self) -> bool:
        """Whether Entra gives a token for what is in the vault now."""
        state, *rest = self.arguments
        tokens = manager(Path(state), *rest)
        answer = await tokens.token("website", fresh=True)
        await tokens.aclose()
        return isinstance(answer, Granted)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Sandbox() as cloud:
        place = Place(cloud, tmp_path / "state")
        state, *rest = place.arguments
        tokens = manager(Path(state), *rest)
        authorizer = Authorizer(tokens)
        pending = await authorizer.begin(WEBSITE, "http://localhost:1")
        assert isinstance(pending, Pending)
        async with Visitor(cloud.ca_file) as visitor:
            back = await visitor.sign_in(pending.authorization_url, "wp@contoso.com")
        assert isinstance(await authorizer.complete(pending, back, "root"), Stored)
        await tokens.aclose()
        yield place


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
async def test_a_kill_before_any_step_leaves_a_working_authorization(
    place: Place, step: int
) -> None:
    before = place.refresh_token()
    process = await place.process(1, step)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == -signal.SIGKILL, err
    assert out == b"", "no token was used before it was stored"
    assert (place.refresh_token() == before) is (
        step < STEPS.index("the directory's way to the disk")
    )
    assert await place.works()


async def test_there_is_no_other_step(place: Place) -> None:
    process = await place.process(1, len(STEPS))
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out) == (0, b"renewed\n"), err


async def test_processes_that_renew_at_once_and_one_that_is_killed_lose_nothing(
    place: Place,
) -> None:
    steady = [await place.process(15) for _ in range(2)]
    doomed = await place.process(1_000)
    assert doomed.stdout
    for _ in range(5):
        assert await asyncio.wait_for(doomed.stdout.readline(), 60) == b"renewed\n"
    doomed.kill()
    for process in steady:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (0, b"renewed\n" * 15), err
    await doomed.communicate()
    assert await place.works()
