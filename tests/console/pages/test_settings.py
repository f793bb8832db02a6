"""The page Settings: every value and where it comes from, and how clients are set up."""

from graphrelay.control.verb import VerbError
from tests.console.conftest import Opened, Opening


async def test_values_warnings_and_listeners_are_shown(opened: Opened) -> None:
    text = (await (await opened.viewer()).get("/settings")).text
    assert "<code>log.level</code>" in text
    assert "log.keep: odd" in text
    assert "SMTP server: 127.0.0.1" in text


async def test_an_operator_reloads_and_sees_what_came_of_it(opening: Opening) -> None:
    reloaded = {"kind": "reloaded", "warnings": [], "needs_restart": ["log"]}
    opened = await opening(reload=[reloaded])
    opened.verbs["reload"] = opened.verbs["reload"]
    otto = await opened.operator()
    assert "Reload the configuration" in (await otto.get("/settings")).text
    page = (await otto.post("/settings/reload")).text
    assert "The configuration is in effect." in page
    assert "A restart is needed for: log." in page
    assert opened.events("acted")[0]["what"] == "reload"
    vera = await opened.viewer()
    assert "Reload the configuration" not in (await vera.get("/settings")).text
    assert (await vera.post("/settings/reload")).status == 403


async def test_a_file_with_mistakes_is_not_reloaded_and_they_are_shown(opening: Opening) -> None:
    opened = await opening(reload=VerbError("line 3: smtpd: unknown key"))
    page = await (await opened.operator()).post("/settings/reload")
    assert page.status == 409
    assert "line 3: smtpd: unknown key" in page.text
