"""Large messages: memory and speed with twenty of them in flight, and the delay for other
clients."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

from benchmarks import load
from benchmarks.figures import head, median, percentile, row
from benchmarks.postfix import can_run
from benchmarks.processes import Watch, forget_peak, peak, resident, resident_with_children
from benchmarks.servers import Cloud, Server, bare_aiosmtpd, discarding_postfix, relay

TEN, THIRTY = 10_000_000, 30_000_000
AT_ONCE = 20
RELAYING = "graphrelay, relaying too"

Start = Callable[[Path], AbstractContextManager[Server]]


def in_flight(of: Cloud, folder: Path, runs: int) -> None:
    """Twenty messages of 10 MB at once, with small ones meanwhile; the same with 30 MB; and again
    while the relay also relays all of them."""
    servers: dict[str, Start] = {
        "graphrelay": lambda at: relay(of, at, authorized=False),
        RELAYING: lambda at: relay(of, at, authorized=True),
    }
    if can_run():
        servers["Postfix"] = discarding_postfix
    servers["bare aiosmtpd"] = lambda _: bare_aiosmtpd()
    head("20 at once", "of MB", "idle MB", "above idle MB", "MB/s", "small mail meanwhile ms")
    for name, start in servers.items():
        for size in (TEN, THIRTY):
            found = []
            for run in range(runs):
                with start(folder / f"{name}-{size}-{run}") as server:
                    found.append(_twenty(server, size, of if name == RELAYING else None))
            idle, above, speed, small = (median(column) for column in zip(*found, strict=True))
            cells = (f"{idle:.0f}", f"{above:.0f}", f"{speed:.0f}", f"{small:.1f}")
            row(name, size // 1_000_000, *cells)


def stall(of: Cloud, folder: Path, runs: int) -> None:
    """How long a command waits for its answer while 30 MB are being received, compared with an idle
    relay."""
    head("RCPT answered after ms", "median", "99 %", "worst")
    quiet: list[list[float]] = []
    busy: list[list[float]] = []
    for run in range(runs):
        with relay(of, folder / f"stall-{run}", authorized=False) as server, _workers() as workers:
            quiet.append(_commands(server.port, workers.submit(time.sleep, 0.5)))
            sending = workers.submit(_send, server.port, 1, THIRTY)
            busy.append(_commands(server.port, sending))
    for name, all_runs in (("nothing", quiet), ("30 MB", busy)):
        shares = (0.5, 0.99, 1.0)
        row(
            name, *(f"{median(percentile(one, share) for one in all_runs):.2f}" for share in shares)
        )


def _twenty(server: Server, size: int, of: Cloud | None) -> tuple[float, float, float, float]:
    """Idle, above idle, MB/s, milliseconds for a small mail's final dot. With the cloud, it waits
    until everything that was accepted has arrived there."""
    alone = server.name != "Postfix"
    idle = resident(server.process) if alone else resident_with_children(server.process)
    if alone:
        forget_peak(server.process)
    with _workers() as workers, Watch(server.process) as watch:
        before, began = of.submitted() if of else 0, time.perf_counter()
        sending = workers.submit(_send, server.port, AT_ONCE, size)
        small = _small(server.port, sending)
        seconds = sending.result()
        if of:
            seconds = of.until(before + AT_ONCE + len(small)) - began
    most = peak(server.process) if alone else watch.most
    return idle, most - idle, AT_ONCE * size / 1e6 / seconds, median(small) * 1000


@contextmanager
def _workers() -> Iterator[ProcessPoolExecutor]:
    """A separate process for the large load, so that it does not delay the measurements here."""
    with ProcessPoolExecutor(1) as workers:
        workers.submit(time.perf_counter).result()  # it is there
        yield workers


def _send(port: int, connections: int, size: int) -> float:
    shape = load.run(
        port, connections=connections, messages=connections, per_connection=1, size=size
    )
    return asyncio.run(shape).seconds


def _small(port: int, sending: "Future[float]") -> list[float]:
    """Seconds until the final dot is answered, one message after the other."""
    taken: list[float] = []
    with _greeted(port) as talk:
        while not taken or not sending.done():
            for line in (b"MAIL FROM:<wp@contoso.com>", b"RCPT TO:<a@example.org>", b"DATA"):
                _ask(talk, line + b"\r\n")
            taken.append(_ask(talk, load.message(len(taken), 4_000)))
    return taken


def _commands(port: int, sending: "Future[float] | Future[None]") -> list[float]:
    """Milliseconds for each answer."""
    taken = []
    with _greeted(port) as talk:
        _ask(talk, b"MAIL FROM:<wp@contoso.com>\r\n")
        for number in count():
            if sending.done():
                break
            taken.append(_ask(talk, b"RCPT TO:<r%d@example.org>\r\n" % number) * 1000)
    return taken


@contextmanager
def _greeted(port: int) -> Iterator[socket.SocketIO]:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client.makefile("rwb", buffering=0) as talk:
            talk.readline()
            _ask(talk, b"HELO client.contoso.com\r\n")
            yield talk


def _ask(talk: socket.SocketIO, octets: bytes) -> float:
    began = time.perf_counter()
    talk.write(octets)
    answer = talk.readline()
    if answer[:1] not in b"23":
        raise RuntimeError(answer.decode())
    return time.perf_counter() - began
