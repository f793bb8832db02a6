"""The servers under measurement, each in its own process, and what the system reports about
them."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil

Process = subprocess.Popen[str]

LOAD_SETTINGS = """
[smtp]
max_connections = 5000
max_connections_per_client = 5000
max_recipients = 100000
max_message_size = "40 MB"

[[smtp.listeners]]
address = "127.0.0.1:{port}"

[delivery]
max_mime_request = "60 MB"

[log]
level = "info"
"""
"""On top of the sandbox's own: nothing that a load would run into, and the default log."""


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_greeted(port: int, process: Process, seconds: float = 120) -> float:
    """Seconds until something answers 220 on `port`."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
            if client.recv(100).startswith(b"220"):
                return time.perf_counter() - started
        time.sleep(0.002)
    raise TimeoutError(f"nothing greeted on port {port} within {seconds} s")


@contextlib.contextmanager
def running(
    *command: str, log: Path | None = None, **environ: str
) -> "Iterator[subprocess.Popen[str]]":
    """Run a command of the project's Python; ended by SIGTERM, then SIGKILL."""
    heard = log.open("ab") if log else None
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
        stderr=heard,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for opened in (process.stdout, heard):
            if opened:
                opened.close()


def resident(process: Process) -> float:
    """Memory in use now, in MB."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


def peak(process: Process) -> float:
    """The most memory that was ever in use, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def resident_with_children(process: Process) -> float:
    """The same with all its descendants; shared memory is counted once."""
    master = psutil.Process(process.pid)
    octets = shared = 0
    for one in (master, *master.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = one.memory_info()
            octets += memory.rss - memory.shared
            shared = max(shared, memory.shared)
    return (octets + shared) / 1e6


class Watch:
    """Records the peak memory of a process and its descendants together."""

    def __init__(self, process: Process) -> None:
        self.most = 0.0
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, resident_with_children(self._process))


def forget_peak(process: Process) -> None:
    """Reset `peak` (proc(5), clear_refs)."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def cpu_of_children() -> float:
    """Seconds of CPU that all ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_seconds(process: Process) -> float:
    """What it and all its descendants have used, including those that have ended."""
    master, total = psutil.Process(process.pid), 0.0
    for one in (master, *master.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
