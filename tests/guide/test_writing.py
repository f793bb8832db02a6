"""The files of `init`: private, complete, and never overwritten by accident."""

import grp
import os
import stat
from pathlib import Path

import pytest

from tests.guide.making import USER, init, made


def test_nobody_else_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    made(tmp_path, *USER, "--state-directory", str(tmp_path / "state"))
    assert stat.S_IMODE((tmp_path / "config.toml").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to a group")
def test_the_service_may_read_what_root_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = grp.getgrnam("nogroup")
    monkeypatch.setattr(grp, "getgrnam", lambda name: {"graphrelay": nobody}[name])
    made(tmp_path, *USER)
    found = (tmp_path / "config.toml").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, nobody.gr_gid)


def test_root_sees_what_to_do_where_the_service_has_no_group_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(grp, "getgrnam", lambda name: {}[name])
    _, shown = made(tmp_path, *USER)
    config = tmp_path / "config.toml"
    assert f"chgrp graphrelay {config} && chmod 640 {config}" in shown


def test_a_configuration_is_never_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine", encoding="utf-8")
    shown = init(tmp_path, "--yes", *USER)
    assert shown.exit_code == 1
    assert "exists already" in shown.output
    assert path.read_text(encoding="utf-8") == "mine"
    assert init(tmp_path, "--yes", "--force", *USER).exit_code == 0
    assert "wp@contoso.com" in path.read_text(encoding="utf-8")


def test_what_would_not_pass_is_never_written(tmp_path: Path) -> None:
    shown = init(tmp_path, "--yes", *USER, "--cloud", "custom")
    assert shown.exit_code == 1
    assert "cloud.login_url: is missing" in shown.output
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shown = init(tmp_path / "file" / "below", "--yes", *USER)
    assert shown.exit_code == 1
    assert "cannot be written" in shown.output
