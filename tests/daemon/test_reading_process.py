"""What is found in a configuration."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from graphrelay.daemon.reading import Unusable
from graphrelay.daemon.reading_process import ONLY_AT_START, WEB_ONLY_AT_START, read
from graphrelay.daemon.relay_settings import Found
from tests.cli.test_commands import configured
from tests.daemon.test_wiring import configuration


def test_it_says_what_an_application_could_do(tmp_path: Path) -> None:
    found = read(configuration(tmp_path, "managed_identity = true"))
    assert isinstance(found, Found)
    assert any(doubt.startswith("accounts.") for doubt in found.doubts)


def test_it_keeps_the_tables_that_only_a_restart_puts_in_effect(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    before = read(path)
    path.write_text(f'{path.read_text(encoding="utf-8")}\n[log]\nlevel = "debug"\n', "utf-8")
    after = read(path)
    assert isinstance(before, Found)
    assert isinstance(after, Found)
    web = {f"{table}.{name}" for table in ("console", "metrics") for name in WEB_ONLY_AT_START}
    assert set(before.tables) == {*ONLY_AT_START, *web}
    assert [name for name in before.tables if before.tables[name] != after.tables[name]] == ["log"]


def test_a_file_that_is_not_there_is_unusable(tmp_path: Path) -> None:
    found = read(tmp_path / "config.toml")
    assert isinstance(found, Unusable)
    assert "no such file" in found.problems[0]


def test_a_file_that_may_be_missing_is_an_empty_one_and_that_is_said(tmp_path: Path) -> None:
    found = read(tmp_path / "config.toml", may_be_missing=True)
    assert isinstance(found, Found)
    assert found.settings.accounts == ()
    assert any("no such file; every setting has its default" in one for one in found.doubts)


def test_a_relay_that_is_stopped_before_it_has_read_it_leaves_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    path = str(tmp_path / "config.toml")
    program = "from graphrelay.daemon.reading_process import main; "
    program += f"main({path!r}, may_be_missing=True)"
    command = [sys.executable, "-c", program]
    child = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (child.returncode, child.stderr) == (-signal.SIGPIPE, b"")
