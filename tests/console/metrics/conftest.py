"""A listener of `[metrics] address`, for one test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from graphrelay.console.asking import asking
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.metrics.server import MetricsServer
from graphrelay.console.options import HealthLimits, MetricsOptions
from graphrelay.journal import Entry, Journal
from graphrelay.smtp.access.listener import Listener
from tests.clock import FakeClock
from tests.console.conftest import Verbs

Open = Callable[..., Awaitable[tuple[MetricsServer, list[Entry]]]]


@pytest.fixture
async def opened_at() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_(
            listener: Listener | None = None, answers: Any = None, **changed: Any
        ) -> tuple[MetricsServer, list[Entry]]:
            clock, entries = FakeClock(), list[Entry]()
            monitoring = Monitoring(asking(Verbs(**(answers or {}))), HealthLimits(), clock)
            chosen = MetricsOptions(listener=listener or Listener(address="127.0.0.1:0"), **changed)
            server = MetricsServer(chosen, monitoring, Journal(clock, entries.append), clock)
            await server.open()
            task = asyncio.create_task(server.run())

            async def end() -> None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            stack.push_async_callback(end)
            return server, entries

        yield open_


async def get(url: str, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.get(url, headers=named, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()
