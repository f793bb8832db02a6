"""The command line finds the daemon although it cannot check the rest of the file."""

from pathlib import Path

import pytest

from graphrelay.config import written_control_socket, written_state_directory

UNUSABLE = """
state_directory = "/var/lib/elsewhere"
[accounts.alerts]
scenario = "any-user"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(UNUSABLE, "utf-8")
    return path


def test_it_is_read_from_a_file_whose_secrets_are_elsewhere(config: Path) -> None:
    assert written_state_directory(config) == Path("/var/lib/elsewhere")


def test_the_environment_comes_first(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHRELAY_STATE_DIRECTORY", "/srv/queue")
    assert written_state_directory(config) == Path("/srv/queue")


@pytest.mark.parametrize("text", ["", "state_directory = 3", "state_directory = "])
def test_a_file_that_does_not_say_leaves_it_open(config: Path, text: str) -> None:
    config.write_text(text, "utf-8")
    assert written_state_directory(config) is None


def test_a_file_that_is_not_there_leaves_it_open(tmp_path: Path) -> None:
    assert written_state_directory(tmp_path / "none.toml") is None


def test_so_is_the_socket(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written_control_socket(config) is None
    config.write_text(f'{UNUSABLE}\n[control]\nsocket = "/run/graphrelay/control.sock"\n', "utf-8")
    assert written_control_socket(config) == Path("/run/graphrelay/control.sock")
    monkeypatch.setenv("GRAPHRELAY_CONTROL__SOCKET", "/run/elsewhere.sock")
    assert written_control_socket(config) == Path("/run/elsewhere.sock")
    monkeypatch.delenv("GRAPHRELAY_CONTROL__SOCKET")
    config.write_text("control = 3", "utf-8")
    assert written_control_socket(config) is None
