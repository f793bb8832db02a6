"""The relay's socket is found even from an invalid file, and without loading the validation."""

import subprocess
import sys
from pathlib import Path

import pytest

from graphrelay.control.socket.place import control_socket

UNUSABLE = """
state_directory = "/var/lib/elsewhere"

[accounts.site]
scenario = "any-user"
"""
ELSEWHERE = Path("/var/lib/elsewhere/control.sock")
DEFAULT = Path("/srv/state/graphrelay/control.sock")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GRAPHRELAY_STATE_DIRECTORY", "GRAPHRELAY_CONTROL__SOCKET", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    file = tmp_path / "config.toml"
    file.write_text(UNUSABLE, "utf-8")
    return file


def test_it_is_in_the_state_directory_of_a_file_whose_secrets_are_elsewhere(config: Path) -> None:
    assert control_socket(config) == ELSEWHERE


def test_the_environment_names_the_state_directory_first(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHRELAY_STATE_DIRECTORY", "/srv/queue")
    assert control_socket(config) == Path("/srv/queue/control.sock")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "state_directory = 3",
        "state_directory = ",
        "control = 3",
        "\x00",
        "a=" + "[" * 9999,
        "a." * 99_999,
    ],
)
def test_a_file_that_does_not_say_leaves_the_default(config: Path, text: str) -> None:
    config.write_text(text, "utf-8")
    assert control_socket(config) == DEFAULT


@pytest.mark.parametrize("octets", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_leaves_the_default(config: Path, octets: bytes | None) -> None:
    config.unlink()
    if octets is not None:
        config.write_bytes(octets)
    assert control_socket(config) == DEFAULT


def test_systemd_names_the_state_directory_where_the_file_does_not(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("", "utf-8")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/graphrelay:/var/lib/other")
    assert control_socket(config) == Path("/var/lib/graphrelay/control.sock")


def test_the_control_socket_itself_may_be_named(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(f'{UNUSABLE}\n[control]\nsocket = "/run/graphrelay/control.sock"\n', "utf-8")
    assert control_socket(config) == Path("/run/graphrelay/control.sock")
    monkeypatch.setenv("GRAPHRELAY_CONTROL__SOCKET", "/run/elsewhere.sock")
    assert control_socket(config) == Path("/run/elsewhere.sock")


@pytest.mark.parametrize("verb", ["status", "queue", "log", "lanes", "route", "revoke"])
def test_a_verb_that_the_relay_carries_out_loads_nothing_that_is_slow(verb: str) -> None:
    asked = (
        "import sys, contextlib; from pathlib import Path; "
        f"import graphrelay.cli.{verb}; from graphrelay.cli.ask import by_the_daemon; "
        "from graphrelay.control.socket.client import NoDaemon\n"
        f"asking = by_the_daemon(Path('/nonexistent'), '{verb}', {{}})\n"
        "with contextlib.suppress(NoDaemon): next(asking)\n"
        "slow = {'asyncio', 'dataclasses', 'graphrelay.model', 'pydantic', 'sqlite3', 'ssl'}\n"
        "print(*sorted(slow & set(sys.modules)))"
    )
    environment = {"XDG_STATE_HOME": "/nonexistent", "PYTHONPATH": str(Path(__file__).parents[3])}
    said = subprocess.check_output([sys.executable, "-c", asked], text=True, env=environment)
    assert said.split() == []
