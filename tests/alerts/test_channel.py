"""A secret of a channel: in the configuration, or in a file that is read at each use."""

from pathlib import Path

import pytest

from graphrelay.alerts.channel import Secret


def test_a_secret_in_a_file_is_read_at_each_use(tmp_path: Path) -> None:
    file = tmp_path / "token"
    secret = Secret(file=file)
    for value in ("first", "second"):
        file.write_text(f"{value}\n", "utf-8")
        assert secret.read() == value


def test_a_file_that_is_missing_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Secret(file=tmp_path / "token").read()


def test_a_secret_is_never_shown() -> None:
    assert Secret("hush").read() == "hush"
    assert "hush" not in repr(Secret("hush"))
