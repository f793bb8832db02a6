"""The page Settings: every value and where it comes from, and how clients are set up."""

from tests.console.conftest import Opened


async def test_values_warnings_and_listeners_are_shown(opened: Opened) -> None:
    text = (await (await opened.viewer()).get("/settings")).text
    assert "<code>log.level</code>" in text
    assert "log.keep: odd" in text
    assert "SMTP server: 127.0.0.1" in text
