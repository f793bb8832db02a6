"""What is measured: the relay with a sandbox cloud, and bare aiosmtpd beside it."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOAD_SETTINGS, Process, free_port, running, until_greeted


@dataclass(frozen=True, slots=True)
class Server:
    """Something that takes mail, in a process of its own."""

    name: str
    port: int
    process: Process
    started_in: float
    """Seconds from the start of the process to the first 220."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A sandbox in a process of its own."""

    folder: Path
    page: int
    process: Process

    def submitted(self) -> int:
        """How many messages Graph has taken."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/api/stats") as answer:
            return int(json.load(answer)["submitted"])

    def until(self, count: int, seconds: float = 600) -> float:
        """Wait until it has taken `count`; when that was (perf_counter)."""
        gives_up = time.perf_counter() + seconds
        while self.submitted() < count:
            if time.perf_counter() > gives_up:
                raise TimeoutError(f"{self.submitted()} of {count} messages after {seconds} s")
            time.sleep(0.02)
        return time.perf_counter()


@contextmanager
def bare_aiosmtpd() -> Iterator[Server]:
    """The yardstick: it keeps nothing."""
    began = time.perf_counter()
    with running("benchmarks.yardstick") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        until_greeted(port, process)
        yield Server("bare aiosmtpd", port, process, time.perf_counter() - began)


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """The sandbox, discarding bodies; its configuration for a relay is in `folder`."""
    page = free_port()
    options = ["--port", "0", "--page-port", str(page), "--directory", str(folder), "--discard"]
    with running("graphrelay", "sandbox", *options, "--request-limit", "60000000") as process:
        assert process.stdout is not None
        while "serve" not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError("the sandbox did not start")
        yield Cloud(folder, page, process)


@contextmanager
def relay(of: Cloud, state: Path, *, authorized: bool, extra: str = "") -> Iterator[Server]:
    """`graphrelay serve` on a state directory. Not authorized, it accepts and everything waits.
    `extra` is TOML behind the rest."""
    port = free_port()
    config = state / "config.toml"
    state.mkdir(parents=True, exist_ok=True)
    written = (of.folder / "config.toml").read_text(encoding="utf-8")
    written = re.sub(r"(?m)^state_directory = .*$", f'state_directory = "{state}"', written)
    written = re.sub(r"(?s)\[\[smtp.listeners\]\]\naddress = [^\n]*\n", "", written)
    config.write_text(written + LOAD_SETTINGS.format(port=port) + extra, encoding="utf-8")
    command = ["graphrelay", "--config", str(config)]
    if authorized:
        subprocess.run(
            [sys.executable, "-m", *command, "authorize", "website"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with running(*command, "serve", log=state / "log") as process:
        began = time.perf_counter()
        until_greeted(port, process)
        yield Server("graphrelay", port, process, time.perf_counter() - began)
