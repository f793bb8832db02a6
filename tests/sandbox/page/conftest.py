"""A cloud with a page, and a sender."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from graphrelay.sandbox import Sandbox
from tests.sandbox.world import Graph, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox(page_port=0) as cloud, AsyncExitStack() as stack:
        yield World(cloud, stack)


@pytest.fixture
def cloud(world: World) -> Sandbox:
    return world.cloud


@pytest.fixture
async def graph(world: World) -> Graph:
    return await world.user()


@pytest.fixture
async def page(cloud: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cloud.page_url, trust_env=False) as client:
        yield client
