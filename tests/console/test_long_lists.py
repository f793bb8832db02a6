"""The first pages over 100,000 messages: fast, and of the same size in memory."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from benchmarks.multiplied import multiply
from tests.console.conftest import Browser
from tests.world import world

LONG = 100_000
FAST = 0.2
"""Seconds of this process's CPU: the clock of a busy machine says nothing. The least of three
times, since the relay checks its database meanwhile."""
PAGES = ("/queue", "/log", "/")


@pytest.mark.parametrize("done", [False, True], ids=["waiting", "in the mail log"])
async def test_the_first_page_takes_less_than_a_fifth_of_a_second_and_memory_stays(
    tmp_path: Path, done: bool
) -> None:
    await asyncio.to_thread(multiply, tmp_path / "state", LONG, done=done)
    async with (
        world(tmp_path, scenario="user", console="127.0.0.1:0", authorized=False) as here,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        assert here.relay.console
        browser = Browser(here.relay.console.url, session)
        path = here.relay.console.link("root").removeprefix(browser.base)
        await browser.get(path)
        assert (await browser.post(path)).status == 303
        before = resident()
        took = {page: min([await seconds(browser, page) for _ in range(3)]) for page in PAGES}
        assert max(took.values()) < FAST, took
        assert resident() - before < 30e6
        listed = (await browser.get("/log" if done else "/queue")).text
        assert listed.count('<a href="/message/') == 100
        assert done or "100,001 messages wait" in listed


async def seconds(browser: Browser, page: str) -> float:
    began = time.process_time()
    answer = await browser.get(page)
    assert answer.status == 200
    return time.process_time() - began


def resident() -> int:
    """Octets of memory of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
