"""The library that injects failures, and the process that runs with it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.server import Order
from tests.crash.truth import Promises
from tests.tools import needs

SOURCE = Path(__file__).with_name("faults.c")


class Crasher:
    """Runs the work with faults."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self._process = process
        self._base = directory
        self._runs = 0

    @property
    def told(self) -> Path:
        """The reports of the process that runs, or ran last."""
        return self._base / f"told{self._runs}"

    def run(
        self,
        *,
        at: int = 0,
        act: str = "",
        only: str = "",
        error: int = 0,
        times: int = 1,
        record: str = "",
        load: str = "",
        directory: Path | None = None,
        url: str = "",
    ) -> tuple[Path, Promises, bool]:
        """The spool's directory, what was promised, and whether the process was killed."""
        self._runs += 1
        told = self.told
        directory = directory or self._base / f"spool{self._runs}"
        directory.mkdir(mode=0o700, exist_ok=True)
        order = Order(str(directory), str(told), at, act, only, error, times, record, load, url)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order.line())
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] == 0, "the worker failed: its last words are on stderr"
        lines = told.read_text().splitlines() if told.exists() else []
        return directory, Promises.told(lines), bool(answer["signal"])


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = needs("cc")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    command = [str(compiler), "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1"]
    subprocess.run([*command, "-o", library, SOURCE, "-ldl", "-lpthread"], check=True)
    return library


MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in memory, if there is one: a killed process leaves the same there as on a disk,
    and a thousand kills take a minute."""
    if os.access(MEMORY, os.W_OK):
        with tempfile.TemporaryDirectory(prefix="graphrelay-crash-", dir=MEMORY) as directory:
            yield Path(directory)
    else:
        yield tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="module")
def crasher(faults: Path, scratch: Path) -> Iterator[Crasher]:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.server", str(faults)],
        cwd=root,
        env={**os.environ, "LD_PRELOAD": str(faults), "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Crasher(process, scratch)
        process.communicate()
