"""What `authorize` says to the person, and when it opens a browser."""

import webbrowser

import pytest

from graphrelay.cli.authorize import _Printer

URL = "https://login.example/authorize?x=1"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was opened with; one is always available."""
    found: list[str] = []

    def open_(url: str) -> bool:
        found.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    return found


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"])
def test_a_browser_opens_where_there_is_a_desktop(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    _Printer(as_json=False)({"kind": "open", "url": URL})
    assert opened == [URL]


def test_on_a_server_no_browser_takes_the_terminal(
    opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _Printer(as_json=False)({"kind": "open", "url": URL})
    assert opened == []
    said = capsys.readouterr().out
    assert URL in said
    assert "--device" in said


def test_programs_get_json_and_no_browser_opens(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    _Printer(as_json=True)({"kind": "open", "url": URL})
    assert opened == []
    assert URL in capsys.readouterr().out


def test_without_a_terminal_the_time_left_is_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell = _Printer(as_json=False)
    for seconds in (600, 599, 598):
        tell({"kind": "waiting", "seconds": seconds})
    tell({"kind": "authorized", "who": "wp@contoso.com", "granted": ["Mail.Send"]})
    said = capsys.readouterr().out
    assert said.count("left") == 1
    assert "Waiting, 10:00 left" in said
    assert tell.authorized


def test_a_terminal_counts_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    tell = _Printer(as_json=False)
    for seconds in (61, 60, 59):
        tell({"kind": "waiting", "seconds": seconds})
    said = capsys.readouterr().out
    assert [part[9:13] for part in said.split("\r")[1:]] == ["1:01", "1:00", "0:59"]
