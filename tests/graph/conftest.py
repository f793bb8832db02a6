"""The loops on which a connection to Graph is tried: asyncio's own, and the one that `serve` uses
if it is available."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

_ON_BOTH_LOOPS = {"test_client", "test_session"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in _ON_BOTH_LOOPS:
        loops["uvloop"] = uvloop.new_event_loop
    return loops
