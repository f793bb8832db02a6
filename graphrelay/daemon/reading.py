"""The configuration is read by a process of its own, which ends with that.

    serve ── path ──▶ reading_process: load ─▶ warnings ─▶ wiring ── pickle ──▶ RelaySettings

What checks a configuration (pydantic and the models of all tables) takes 15 MB, a sixth of what the
relay has, and is needed only at start and to reload. Memory that Python has once used it does not
give back, so nothing of that is imported here.

The child is this program, with the same rights, environment and credentials: what it answers is
trusted as this process is.
"""

import asyncio
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphrelay.daemon.relay_settings import Found

LIMIT = timedelta(minutes=1)
"""By then it is read, or nobody can say when it will be: a pipe, or a disk of a server that is
gone."""
_PROGRAM = """import sys
path, missing, sys.path[:] = sys.argv[1], sys.argv[2], sys.argv[3:]
from graphrelay.daemon.reading_process import main
main(path, may_be_missing=missing == "may be missing")"""
_LESS = {"PYDANTIC_DISABLE_PLUGINS": "true"}
"""It looks for plugins in every package that is installed."""


class Unusable(Exception):  # noqa: N818 (a condition, reported to the admin)
    """The configuration cannot be used; `problems` are its mistakes, a sentence each."""

    def __init__(self, path: Path, problems: tuple[str, ...]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = problems


class ConfigReading:
    """The configuration in `path` while it is read. It begins at once. A file that is missing, and
    `may_be_missing`, is an empty one."""

    def __init__(self, path: Path, *, may_be_missing: bool = False) -> None:
        self._path = path
        missing = "may be missing" if may_be_missing else ""
        command = [sys.executable, "-P", "-c", _PROGRAM, str(path), missing, *sys.path]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | _LESS)

    async def found(self) -> "Found":
        """To be called once. Raises `Unusable`."""
        try:
            said, _ = await asyncio.to_thread(
                self._process.communicate, timeout=LIMIT.total_seconds()
            )
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            await asyncio.to_thread(self._process.communicate)
            raise Unusable(self._path, (f"it could not be read within {LIMIT}",)) from error
        if self._process.returncode:
            text = f"it could not be read: the process for it ended with {self._process.returncode}"
            raise Unusable(self._path, (text,))
        found: Found | Unusable = pickle.loads(said)  # noqa: S301 (from ourselves)
        if isinstance(found, Unusable):
            raise found
        return found
