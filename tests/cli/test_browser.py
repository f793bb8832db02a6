"""When a browser is opened."""

import webbrowser

import pytest

from graphrelay.cli.browser import open_browser


@pytest.mark.parametrize(("name", "opens"), [("DISPLAY", True), ("NOTHING", False)])
def test_a_browser_is_looked_for_where_there_is_a_desktop(
    monkeypatch: pytest.MonkeyPatch, name: str, opens: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "x")
    found: list[str] = []

    def open_(url: str) -> bool:
        found.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_)
    assert open_browser("https://login.example") is opens
    assert bool(found) is opens
