"""What the relay costs when nothing happens: memory, a thousand idle clients, start-up."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import head, row, with_noise
from benchmarks.postfix import can_run
from benchmarks.processes import cpu_seconds, resident
from benchmarks.servers import Cloud, Server, bare_aiosmtpd, discarding_postfix, relay
from benchmarks.throughput import BARE, OURS, WITHOUT

IDLE = 1_000
SETTLED = 3.0
"""Seconds after which it has its token, and has read all that it reads at start."""


def standing(of: Cloud, folder: Path, runs: int) -> None:
    """Memory idle, authorized, and with 1,000 idle connections; seconds to the first 220."""
    head("", "first 220 s", "CPU of the start s", "idle MB", "MB with 1,000 idle clients")
    found: dict[str, list[tuple[float, ...]]] = {OURS: [], WITHOUT: [], BARE: []}
    for run in range(runs):
        for name in (OURS, WITHOUT):
            state = folder / f"{name}-{run}"
            with relay(of, state, authorized=True, uvloop=name == OURS) as server:
                time.sleep(SETTLED)
                found[name].append(_figures(server))
        with bare_aiosmtpd() as server:
            found[BARE].append(_figures(server))
    for name, figures in found.items():
        starts, cpus, idles, crowds = zip(*figures, strict=True)
        start, cpu = with_noise(starts, 2), with_noise(cpus, 2)
        idle, crowded = with_noise(idles), with_noise(crowds)
        row(name, start, cpu, idle, crowded)
    if can_run():
        started = []
        for run in range(runs):
            with discarding_postfix(folder / f"postfix-{run}") as server:
                started.append(server.started_in)
        row("Postfix, its folders made first", with_noise(started, 2), "", "", "")


def _figures(server: Server) -> tuple[float, float, float, float]:
    cpu, idle = cpu_seconds(server.process), resident(server.process)
    with ExitStack() as clients:
        for _ in range(IDLE):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.recv(200)
        return server.started_in, cpu, idle, resident(server.process)
