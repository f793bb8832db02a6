"""The lock between processes: one holder, and none after a kill."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graphrelay.oauth.vault.lock import locked
from graphrelay.oauth.vault.problem import VaultFailure

HOLDER = """
import sys
from pathlib import Path
from graphrelay.oauth.vault.lock import locked

with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_one_process_holds_it_and_a_kill_releases_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "vault.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder.send_signal(signal.SIGKILL)
    with locked(path):
        pass


def test_an_exception_releases_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "vault.lock"):
        _ = 1 // 0
    with locked(tmp_path / "vault.lock"):
        pass


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "vault.lock").mkdir()
    with (
        pytest.raises(VaultFailure, match=r"vault\.lock: Is a directory"),
        locked(tmp_path / "vault.lock"),
    ):
        pass
