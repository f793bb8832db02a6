"""Messages of 4 kB taken in a second, beside Postfix and bare aiosmtpd, in turns.

The clients are Postfix's smtp-source, which is C: a Python client would need as much of the machine
as what it measures. Where it is missing, `load` is taken, and Postfix cannot be measured either.
"""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.figures import head, median, row
from benchmarks.postfix import can_run
from benchmarks.processes import cpu_seconds
from benchmarks.servers import Cloud, Server, bare_aiosmtpd, discarding_postfix, relay

SMALL = 4_000
SHAPES = (
    (1, 1, 400),
    (1, 50, 1000),
    (20, 1, 2000),
    (20, 50, 4000),
    (100, 1, 2000),
    (100, 50, 5000),
)
"""Connections, messages for each connection, messages in all."""

Start = Callable[[Path], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    cpu: float
    """Microseconds of CPU for each message, of the process that listens."""


def acceptance(of: Cloud, folder: Path, runs: int) -> None:
    """Durable for the relay and Postfix; bare aiosmtpd keeps nothing."""
    servers: dict[str, Start] = {
        "graphrelay": lambda at: relay(of, at, authorized=False),
        "aiosmtpd": lambda _: bare_aiosmtpd(),
    }
    if can_run() and shutil.which("smtp-source"):
        servers["Postfix"] = discarding_postfix
    head(
        *("connections x messages each", "graphrelay /s", "CPU us", "p99 ms"),
        *("Postfix /s", "ratio", "aiosmtpd /s", "ratio", "CPU us"),
    )
    for connections, each, messages in SHAPES:
        found: dict[str, list[Run]] = {name: [] for name in servers}
        slow = []
        for run in range(runs):  # in turns, so that a busy moment of the machine hits all
            for name, start in servers.items():
                with start(folder / f"{name}-{connections}-{each}-{run}") as server:
                    found[name].append(_run(server, connections, messages, each))
                    if name == "graphrelay":
                        shape = _loaded(server, connections, messages // 4, each)
                        slow.append(shape.percentile(0.99) * 1000)
        rates = {name: median(run.rate for run in all_runs) for name, all_runs in found.items()}
        cpu = {name: median(run.cpu for run in all_runs) for name, all_runs in found.items()}
        ours, bare, postfix = rates["graphrelay"], rates["aiosmtpd"], rates.get("Postfix")
        row(
            f"{connections} x {each}",
            f"{ours:.0f}",
            f"{cpu['graphrelay']:.0f}",
            f"{median(slow):.1f}",
            f"{postfix:.0f}" if postfix else "not here",
            f"{ours / postfix:.2f}" if postfix else "",
            f"{bare:.0f}",
            f"{ours / bare:.2f}",
            f"{cpu['aiosmtpd']:.0f}",
        )


def _run(server: Server, connections: int, messages: int, each: int) -> Run:
    _send(server, connections, messages // 10, each)  # until all is loaded
    before, began = cpu_seconds(server.process), time.perf_counter()
    _send(server, connections, messages, each)
    seconds = time.perf_counter() - began
    return Run(messages / seconds, (cpu_seconds(server.process) - before) / messages * 1e6)


def _send(server: Server, connections: int, messages: int, each: int) -> None:
    program = shutil.which("smtp-source")
    if program is None:
        _loaded(server, connections, messages, each)
        return
    words = ["-s", connections, "-m", messages, "-l", SMALL, "-M", "client.contoso.com"]
    words += ["-f", "wp@contoso.com", "-t", "a@example.org", *(["-d"] if each > 1 else [])]
    command = [program, *map(str, words), f"127.0.0.1:{server.port}"]
    subprocess.run(command, check=True, capture_output=True)


def _loaded(server: Server, connections: int, messages: int, each: int) -> load.Load:
    shape = load.run(
        server.port,
        connections=min(connections, messages),
        messages=messages,
        per_connection=each,
        size=SMALL,
    )
    done = asyncio.run(shape)
    if done.refused:
        raise RuntimeError(f"{server.name} refused {done.refused} messages")
    return done
