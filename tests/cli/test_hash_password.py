"""`graphrelay hash-password`."""

import importlib
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from graphrelay.cli import cli
from graphrelay.smtp.access.login import verify
from tests.cli.test_commands import run


def test_a_password_from_a_pipe_is_hashed_so_that_it_verifies() -> None:
    shown = run("hash-password", answer="s3cret word\n")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert verify(shown.stdout.removesuffix("\n"), "s3cret word")


def test_a_password_is_asked_for_twice_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["s3cret", "s3crte", "s3cret", "s3cret"])
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("graphrelay.cli.hash_password.sys", SimpleNamespace(stdin=terminal))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(answers))
    command = importlib.import_module("graphrelay.cli.hash_password").command
    command.main([], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "do not match" in shown
    assert verify(shown.splitlines()[-1], "s3cret")


@pytest.mark.parametrize(
    ("given", "said"),
    [(b"", "there is no password"), (b"\n", "there is no password"), (b"\xff\n", "is not UTF-8")],
)
def test_a_pipe_without_a_password_is_an_error(given: bytes, said: str) -> None:
    shown = CliRunner().invoke(cli, ["hash-password"], input=given)
    assert shown.exit_code == 1
    assert said in shown.stderr
