"""A cloud for each test, and a user with a browser."""

from collections.abc import AsyncIterator

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.visitor import Visitor
from tests.clock import FakeClock
from tests.sandbox.entra.client import Client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def cloud(clock: FakeClock) -> AsyncIterator[Sandbox]:
    """A cloud whose clock the test moves."""
    async with Sandbox(now=clock.now) as sandbox:
        yield sandbox


@pytest.fixture
async def visitor(cloud: Sandbox) -> AsyncIterator[Visitor]:
    async with Visitor(cloud.ca_file) as somebody:
        yield somebody


@pytest.fixture
async def client(cloud: Sandbox, visitor: Visitor) -> AsyncIterator[Client]:
    async with Client(cloud, visitor) as one:
        yield one
