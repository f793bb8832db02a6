"""What is measured: the relay with a sandbox cloud, and bare aiosmtpd and Postfix for
comparison."""

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

from benchmarks.postfix import DISCARDING, HOLDING, forwarding, postfix
from benchmarks.processes import LOAD_SETTINGS, Process, free_port, running, until_greeted


@dataclass(frozen=True, slots=True)
class Server:
    """A server that accepts mail, in its own process."""

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
        """How many messages Graph has accepted."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/api/stats") as answer:
            return int(json.load(answer)["submitted"])

    def answer_after(self, seconds: float) -> None:
        """Delay each of Graph's answers by this; 0: answer as fast as possible."""
        late = [{"kind": "delay", "part": "graph", "seconds": seconds}] if seconds else []
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.page}/api/faults",
            json.dumps({"faults": late}).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request).close()

    def until(self, count: int, seconds: float = 600) -> float:
        """Wait until it has accepted `count`; returns when that was (perf_counter)."""
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
def discarding_postfix(folder: Path) -> Iterator[Server]:
    """Keeps mail on the disk, then throws it away."""
    began = time.perf_counter()
    with postfix(folder, DISCARDING) as (port, process):
        yield Server("Postfix", port, process, time.perf_counter() - began)


@contextmanager
def holding_postfix(folder: Path) -> Iterator[Server]:
    """Keeps mail on the disk."""
    began = time.perf_counter()
    with postfix(folder, HOLDING) as (port, process):
        yield Server("Postfix", port, process, time.perf_counter() - began)


@contextmanager
def forwarding_postfix(folder: Path, *, held: bool = False) -> Iterator[Server]:
    """Keeps mail on the disk and relays it to Postfix's smtp-sink, which keeps nothing; with
    `held`, only after `postfix.release`."""
    sink, began = free_port(), time.perf_counter()
    with subprocess.Popen(["smtp-sink", "-u", "postfix", f"127.0.0.1:{sink}", "1000"]) as taking:
        try:
            settings = forwarding(sink) | (HOLDING if held else {})
            with postfix(folder, settings) as (port, process):
                yield Server("Postfix", port, process, time.perf_counter() - began)
        finally:
            taking.terminate()


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """The sandbox, discarding bodies; its configuration for a relay is in `folder`."""
    page = free_port()
    with running("benchmarks.cloud", str(page), str(folder)) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the sandbox did not start")
        yield Cloud(folder, page, process)


@contextmanager
def relay(
    of: Cloud,
    state: Path,
    *,
    authorized: bool,
    extra: str = "",
    profile: Path | None = None,
    uvloop: bool = True,
) -> Iterator[Server]:
    """`graphrelay serve` on a state directory. If it is not authorized, it accepts mail, and
    everything waits. `extra` is TOML behind the rest; cProfile writes to `profile`."""
    port = free_port()
    config = state / "config.toml"
    state.mkdir(parents=True, exist_ok=True)
    written = (of.folder / "config.toml").read_text(encoding="utf-8")
    written = re.sub(r"(?m)^state_directory = .*$", f'state_directory = "{state}"', written)
    written = re.sub(r"(?s)\[\[smtp.listeners\]\]\naddress = [^\n]*\n", "", written)
    config.write_text(written + LOAD_SETTINGS.format(port=port) + extra, encoding="utf-8")
    command = ["graphrelay", "--config", str(config)]
    # An application is authorized by its credential until its authorization is withdrawn.
    word = ["authorize", "website"] if authorized else ["revoke", "website", "--yes"]
    subprocess.run([sys.executable, "-m", *command, *word], check=True, stdout=subprocess.DEVNULL)
    before = ["cProfile", "-o", str(profile), "-m"] if profile else []
    before += [] if uvloop else ["benchmarks.without_uvloop"]
    with running(*before, *command, "serve", log=state / "log") as process:
        began = time.perf_counter()
        until_greeted(port, process)
        yield Server("graphrelay", port, process, time.perf_counter() - began)
