"""`graphrelay console`: the link that signs in a user of the control socket."""

from pathlib import Path

from tests.e2e.commands import graphrelay
from tests.world import world


async def test_it_prints_a_link_to_the_console(tmp_path: Path) -> None:
    async with world(tmp_path, console="127.0.0.1:0") as here:
        assert here.relay.console
        ended = await graphrelay(here.config, "console", "--no-browser")
        assert ended.code == 0, ended.err
        assert f"  {here.relay.console.url}/enter/" in ended.out
        ended = await graphrelay(here.config, "console", "--json")
        [event] = ended.events
        assert event["url"].startswith(f"{here.relay.console.url}/enter/")


async def test_without_a_console_it_says_how_to_have_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ended = await graphrelay(here.config, "console")
    assert ended.code == 1
    assert "[console] address" in ended.err
