"""The lock between processes: one holder, and none after a kill."""

import signal
import subprocess
import sys
import threading
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


def test_a_second_one_waits_until_the_first_process_lets_go(tmp_path: Path) -> None:
    path, entered = tmp_path / "state" / "vault.lock", threading.Event()

    def enter() -> None:
        with locked(path):
            entered.set()

    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "locked\n"
    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.05)
    holder.send_signal(signal.SIGKILL)  # Nothing is left locked, either.
    holder.wait(20)
    waiting.join(20)
    assert entered.is_set()
    holder.stdin.close()
    holder.stdout.close()


def test_an_exception_lets_go(tmp_path: Path) -> None:
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
