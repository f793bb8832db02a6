"""Messages of 4 kB: accepting alone, relaying alone, and both at once; each compared with Postfix
and with bare aiosmtpd, which accepts mail and stores nothing.

    accepting   the relay is not authorized, and Postfix holds what it takes: it is all on the disk
    relaying    from a full queue; the relay through TLS to the sandbox, Postfix by SMTP without TLS
                to smtp-sink, which is the easier work
    both        all that comes in goes out as fast as it can; a message counts when it is out

The clients are Postfix's smtp-source, which is C: a Python client would need as much of the machine
as what it measures. CPU is that of all processes of a server, for each message.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import postfix
from benchmarks.figures import head, median, row, with_noise
from benchmarks.processes import cpu_seconds, resident_with_children
from benchmarks.servers import (
    Cloud,
    Server,
    bare_aiosmtpd,
    forwarding_postfix,
    holding_postfix,
    relay,
)

SMALL = 4_000
SHAPES = ((1, 50, 600), (20, 1, 2000), (20, 50, 3000), (100, 1, 2000))
"""Connections, messages for each connection, messages in all."""
AT_ONCE, QUEUED, WARM_UP = 20, 2_000, 200
OURS, WITHOUT = "graphrelay", "graphrelay, no uvloop"
BARE = "bare aiosmtpd"

Start = Callable[[Path], AbstractContextManager[Server]]
Measure = Callable[[Server, Path], "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    cpu: float
    """Microseconds for each message."""
    memory: float
    """MB afterwards."""
    accepted: float = 0.0
    """Messages a second, where they also went out."""


def accepting(of: Cloud, folder: Path, runs: int) -> None:
    """Nothing goes out."""
    servers = _relays(of, authorized=False) | {BARE: lambda _: bare_aiosmtpd()}
    if _postfix_is_here():
        servers["Postfix"] = holding_postfix
    found: dict[tuple[str, str], list[Run]] = {}
    for run in range(runs):  # in turns, so that a busy moment of the machine affects all
        for name, start in servers.items():
            with start(folder / f"{name}-{run}") as server:
                send(server, AT_ONCE, WARM_UP, 1)
                for connections, each, messages in SHAPES:
                    shape = f"{connections} × {each}"
                    taken = _taken(server, connections, messages, each)
                    found.setdefault((shape, name), []).append(taken)
    head("connections × messages each", "", "accepted /s", *_COLUMNS, f"× {BARE}", "× Postfix")
    for (shape, name), measured in found.items():
        ratios = (_ratio(measured, found.get((shape, other))) for other in (BARE, "Postfix"))
        row(shape, name, with_noise(one.rate for one in measured), *_cells(measured), *ratios)


def relaying(of: Cloud, folder: Path, runs: int) -> None:
    """Nothing comes in."""
    starts = _relays(of, authorized=True)

    def queued(name: str) -> Measure:
        def measure(server: Server, state: Path) -> Run:
            return _out(server, lambda: QUEUED - (of.submitted() - before[state]))

        return measure

    before: dict[Path, int] = {}

    def full(start: Start) -> Start:
        def started(state: Path) -> AbstractContextManager[Server]:
            with relay(of, state, authorized=False) as server:
                send(server, AT_ONCE, QUEUED, 1)
            before[state] = of.submitted()
            return start(state)

        return started

    servers: dict[str, tuple[Start, Measure]] = {
        name: (full(start), queued(name)) for name, start in starts.items()
    }
    if _postfix_is_here():
        servers["Postfix"] = (lambda at: forwarding_postfix(at, held=True), _released)
    found = _in_turns(servers, folder, runs)
    head("from a full queue", "relayed /s", *_COLUMNS, "× Postfix")
    for name, measured in found.items():
        ratio = _ratio(measured, found.get("Postfix"))
        row(name, with_noise(one.rate for one in measured), *_cells(measured), ratio)


def both(of: Cloud, folder: Path, runs: int) -> None:
    """All that comes in goes out."""

    def through(server: Server, _: Path) -> Run:
        before = of.submitted()
        return _through(server, lambda count: of.submitted() - before >= count)

    def forwarded(server: Server, state: Path) -> Run:
        return _through(server, lambda _: postfix.waiting(state) == 0)

    servers: dict[str, tuple[Start, Measure]] = {
        name: (start, through) for name, start in _relays(of, authorized=True).items()
    }
    if _postfix_is_here():
        servers["Postfix"] = (forwarding_postfix, forwarded)
    servers[f"{BARE}, only accepting"] = (
        lambda _: bare_aiosmtpd(),
        lambda server, _: _taken(server, AT_ONCE, QUEUED, 1),
    )
    found = _in_turns(servers, folder, runs)
    bare = found[f"{BARE}, only accepting"]
    head("20 × 1", "accepted /s", "relayed /s", *_COLUMNS, f"accepted × {BARE}")
    for name, measured in found.items():
        went = "" if measured is bare else with_noise(one.rate for one in measured)
        accepted = [one.accepted or one.rate for one in measured]
        ratio = median(accepted) / median(one.rate for one in bare)
        row(name, with_noise(accepted), went, *_cells(measured), f"{ratio:.2f}")


_COLUMNS = ("CPU µs a message", "memory MB")


def _cells(measured: list[Run]) -> tuple[str, str]:
    return with_noise(one.cpu for one in measured), with_noise(one.memory for one in measured)


def _ratio(measured: list[Run], others: list[Run] | None) -> str:
    if others is None or others is measured:
        return ""
    return f"{median(one.rate for one in measured) / median(one.rate for one in others):.2f}"


def _relays(of: Cloud, *, authorized: bool) -> dict[str, Start]:
    return {
        OURS: lambda at: relay(of, at, authorized=authorized),
        WITHOUT: lambda at: relay(of, at, authorized=authorized, uvloop=False),
    }


def _postfix_is_here() -> bool:
    return postfix.can_run() and shutil.which("smtp-source") is not None


def _in_turns(
    servers: Mapping[str, tuple[Start, Measure]], folder: Path, runs: int
) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in servers}
    for run in range(runs):
        for name, (start, measure) in servers.items():
            state = folder / f"{name}-{run}"
            with start(state) as server:
                found[name].append(measure(server, state))
    return found


def _taken(server: Server, connections: int, messages: int, each: int) -> Run:
    before, began = cpu_seconds(server.process), time.perf_counter()
    send(server, connections, messages, each)
    seconds = time.perf_counter() - began
    return _run(server, messages, seconds, before)


def _through(server: Server, is_out: Callable[[int], bool]) -> Run:
    """`is_out`: whether that many messages have been sent."""
    send(server, AT_ONCE, WARM_UP, 1)
    _wait(lambda: is_out(WARM_UP))
    before, began = cpu_seconds(server.process), time.perf_counter()
    send(server, AT_ONCE, QUEUED, 1)
    accepted = QUEUED / (time.perf_counter() - began)
    _wait(lambda: is_out(WARM_UP + QUEUED))
    seconds = time.perf_counter() - began
    return _run(server, QUEUED, seconds, before, accepted)


def _released(server: Server, state: Path) -> Run:
    send(server, AT_ONCE, QUEUED, 1)
    postfix.release(state)
    return _out(server, lambda: postfix.waiting(state))


def _out(server: Server, waiting: Callable[[], int]) -> Run:
    """From the first tenth to the last message."""
    _wait(lambda: waiting() <= QUEUED * 9 // 10)
    left, before, began = waiting(), cpu_seconds(server.process), time.perf_counter()
    _wait(lambda: waiting() == 0)
    return _run(server, left, time.perf_counter() - began, before)


def _run(
    server: Server, messages: int, seconds: float, before: float, accepted: float = 0.0
) -> Run:
    cpu = (cpu_seconds(server.process) - before) / messages * 1e6
    return Run(messages / seconds, cpu, resident_with_children(server.process), accepted)


def _wait(over: Callable[[], bool], seconds: float = 300) -> None:
    gives_up = time.perf_counter() + seconds
    while not over():
        if time.perf_counter() > gives_up:
            raise TimeoutError(f"not over after {seconds} s")
        time.sleep(0.02)


def send(server: Server, connections: int, messages: int, each: int) -> None:
    """By smtp-source; raises `FileNotFoundError` where Postfix's programs are not installed."""
    words = ["-s", connections, "-m", messages, "-l", SMALL, "-M", "client.contoso.com"]
    words += ["-f", "wp@contoso.com", "-t", "a@example.org", *(["-d"] if each > 1 else [])]
    command = ["smtp-source", *map(str, words), f"127.0.0.1:{server.port}"]
    subprocess.run(command, check=True, capture_output=True)
