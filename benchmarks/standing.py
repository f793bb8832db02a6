"""What the relay costs when nothing happens: memory, a thousand idle clients, start-up."""

import socket
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import head, median, row
from benchmarks.postfix import can_run
from benchmarks.processes import cpu_seconds, resident
from benchmarks.servers import Cloud, Server, bare_aiosmtpd, discarding_postfix, relay

IDLE = 1_000


def standing(of: Cloud, folder: Path, runs: int) -> None:
    """Memory idle and with 1,000 idle connections; seconds from the start to the first 220."""
    head("", "first 220 s", "CPU of the start s", "idle MB", "MB with 1,000 idle clients")
    found: dict[str, list[tuple[float, ...]]] = {"graphrelay": [], "bare aiosmtpd": []}
    for run in range(runs):
        with relay(of, folder / f"standing-{run}", authorized=False) as server:
            found["graphrelay"].append(_figures(server))
        with bare_aiosmtpd() as server:
            found["bare aiosmtpd"].append(_figures(server))
    for name, figures in found.items():
        start, cpu, idle, crowded = (median(column) for column in zip(*figures, strict=True))
        row(name, f"{start:.2f}", f"{cpu:.2f}", f"{idle:.0f}", f"{crowded:.0f}")
    if can_run():
        starts = []
        for run in range(runs):
            with discarding_postfix(folder / f"postfix-{run}") as server:
                starts.append(server.started_in)
        row("Postfix, its folders made first", f"{median(starts):.2f}", "", "", "")


def _figures(server: Server) -> tuple[float, float, float, float]:
    cpu, idle = cpu_seconds(server.process), resident(server.process)
    with ExitStack() as clients:
        for _ in range(IDLE):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.recv(200)
        return server.started_in, cpu, idle, resident(server.process)
