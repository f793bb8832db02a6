"""Ctrl-C at a real terminal while `authorize` waits: it ends at once, and nothing has changed."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from tests.e2e.scenarios import PERSONS, relay_for
from tests.e2e.test_scenarios import signed_in, status

CTRL_C = b"\x03"
BY_PASTE = next(case for case in PERSONS if str(case) == "user by paste")
METHODS = {
    "device": ["--device"],
    "browser": [],
    "paste": ["--paste"],
}
LOOKS = {
    "device": r"Waiting, (15:00|14:5\d) left \(Ctrl-C cancels\)",
    "browser": r"Waiting, (10:00|9:5\d) left \(Ctrl-C cancels\)",
    "paste": r"Paste the address here",
}


def in_the_foreground() -> None:
    """In the child: if the tests run in the background, they ignore Ctrl-C, and so would the
    child."""
    os.login_tty(os.dup(0))
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A program in the foreground of a terminal of its own."""

    def __init__(self, config: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "graphrelay", "--config", config, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"BROWSER": "true", "TERM": "dumb"},
            preexec_fn=in_the_foreground,
        )
        os.close(slave)

    async def shows(self, pattern: str) -> None:
        async with asyncio.timeout(60):
            while not re.search(pattern, self.shown):
                piece = await asyncio.to_thread(self._read)
                assert piece, f"it ended, and had shown {self.shown!r}"
                self.shown += piece.decode("utf-8", "replace")

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:  # EIO: the other end is closed.
            return b""

    def type(self, octets: bytes) -> None:
        os.write(self._master, octets)

    async def ended(self) -> int:
        """Its exit code, soon."""
        return await asyncio.to_thread(self._process.wait, 20)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)


@asynccontextmanager
async def terminal(config: Path, *arguments: str) -> AsyncIterator[Terminal]:
    opened = Terminal(config, *arguments)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize("method", METHODS)
async def test_ctrl_c_gives_up_and_the_old_authorization_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async with relay_for(BY_PASTE, tmp_path, monkeypatch) as here:
        await signed_in(here, "paste", "wp@contoso.com")
        before = await status(here)
        async with terminal(here.config, "authorize", "website", *METHODS[method]) as shown:
            await shown.shows(LOOKS[method])
            shown.type(CTRL_C)
            assert await shown.ended() == 130
            await shown.shows("stopped")
            assert "Traceback" not in shown.shown
        after = await status(here)
        assert after["well"]
        assert after["authorized_at"] == before["authorized_at"]
        assert not here.events("control-failed")


async def test_ctrl_c_without_a_relay_gives_up_as_well(tmp_path: Path) -> None:
    async with Sandbox() as cloud:
        config = tmp_path / "config.toml"
        config.write_text(relay_config(cloud, tmp_path / "state", "127.0.0.1:0"), "utf-8")
        async with terminal(config, "authorize", "website", "--device") as shown:
            await shown.shows(LOOKS["device"])
            shown.type(CTRL_C)
            assert await shown.ended() == 130
        assert not list((tmp_path / "state" / "vault").glob("*"))
