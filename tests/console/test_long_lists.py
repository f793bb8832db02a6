"""The first pages over 100,000 messages. How long they take, and what memory they need, is measured
by `python -m benchmarks pages`."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from benchmarks.multiplied import multiply
from tests.console.conftest import Browser
from tests.world import world

LONG = 100_000


@pytest.mark.parametrize("done", [False, True], ids=["waiting", "in the mail log"])
async def test_a_long_list_is_counted_and_its_first_page_has_a_hundred_rows(
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
        assert (await browser.get("/")).status == 200
        listed = (await browser.get("/log" if done else "/queue")).text
        assert listed.count('<a href="/message/') == 100
        assert done or "100,001 messages wait" in listed
