"""A cloud, and users in it who hold tokens."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from graphrelay.sandbox import Sandbox
from tests.sandbox.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox() as cloud, AsyncExitStack() as stack:
        yield World(cloud, stack)


@pytest.fixture
def cloud(world: World) -> Sandbox:
    return world.cloud
