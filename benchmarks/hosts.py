"""Several relays with one queue in PostgreSQL, beside one relay with its own and Postfix.

    clients ── HAProxy ──▶ one, two or three relays ── HTTPS ──▶ sandbox
                                     └──▶ PostgreSQL, with an fsync for each commit

All of it, the clients and the cloud too, is on this machine: so three relays show what sharing a
queue costs, and not what three machines can do. Mail is for ten mailboxes, which the relays share.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks import load, postfix
from benchmarks.figures import head, median, row, with_noise
from benchmarks.multiplied import multiply_shared
from benchmarks.processes import free_port, until_greeted
from benchmarks.servers import Cloud, forwarding_postfix, relay
from benchmarks.throughput import SMALL
from graphrelay.oauth.vault.key import new_key_text
from tests.e2e.several_relays import given_key
from tests.spool.postgres_server import PostgresServer, running
from tests.tools import needs

MAILBOXES = tuple(f"shop{number}@contoso.com" for number in range(10))
EACH = 100
"""Messages for each mailbox, from two connections."""
TIMED = 300
"""Messages whose final dot is timed."""
DURABLE = ("max_connections=200",)
_KEY = new_key_text()
"""Of the vault, which all relays share."""
GROWN = (("empty", 0, 0), ("1,000,000 in the mail log, 100,000 waiting", 1_000_000, 100_000))


@dataclass(frozen=True, slots=True)
class Run:
    """Rates a second; CPU in microseconds for each message; the final dot in milliseconds."""

    accepted: float
    relayed: float
    cpu: float
    database: float
    final_dot: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What listens on `port`, its processes, and the database's."""

    port: int
    ours: Sequence[int]
    database: Sequence[int]
    left: Callable[[int], int]
    """How many have not gone out, of so many that came in since it started."""


def hosts(of: Cloud, folder: Path, runs: int) -> None:
    """One, two and three relays that share a queue, one that has its own, and Postfix."""
    starts: dict[str, Callable[[Path], AbstractContextManager[Tried]]] = {
        "SQLite": partial(_embedded, of),
        **{f"PostgreSQL, {count}": partial(_sharing, of, count) for count in (1, 2, 3)},
    }
    if postfix.can_run():
        starts["Postfix"] = _postfix
    found: dict[str, list[Run]] = {name: [] for name in starts}
    for run in range(runs):
        for name, start in starts.items():
            with start(folder / f"{name}-{run}") as tried:
                found[name].append(_measured(tried))
                print(f"{name}: {found[name][-1]}", file=sys.stderr, flush=True)
    head("relays", "accepted /s", "relayed /s", "99 % of final dots, ms", *_CPU, "CPU × SQLite")
    base = median(one.cpu + one.database for one in found["SQLite"])
    for name, measured in found.items():
        cpu = median(one.cpu + one.database for one in measured)
        columns = ("accepted", "relayed", "final_dot", "cpu", "database")
        cells = (with_noise(getattr(one, column) for one in measured) for column in columns)
        row(name, *cells, f"{cpu / base:.2f}")


_CPU = ("CPU µs a message", "of PostgreSQL")


def shared_growth(of: Cloud, folder: Path, runs: int) -> None:
    """What a message costs with a long mail log and a long queue in PostgreSQL: CPU of the relay
    and of the server."""
    head("in PostgreSQL", "accepting, CPU µs", "relaying, CPU µs", "ratio of CPU")
    base = 0.0
    for name, done, waiting in GROWN:
        found = []
        with running(DURABLE, free_port()) as server:
            asyncio.run(multiply_shared(server.url(), done, waiting))
            for run in range(runs):
                found.append(_cost(of, folder / f"{done}-{run}", server))
        accepting, relaying = (median(column) for column in zip(*found, strict=True))
        base = base or accepting + relaying
        row(name, f"{accepting:.0f}", f"{relaying:.0f}", f"{(accepting + relaying) / base:.2f}")


def _cost(of: Cloud, state: Path, server: PostgresServer) -> tuple[float, float]:
    count = EACH * len(MAILBOXES)
    with _relays_on(of, state / "in", server, 1, authorized=False) as tried:
        _send(tried, EACH // 10)
        before = _cpu(tried.ours) + _cpu(tried.database)
        _send(tried, EACH)
        accepting = _cpu(tried.ours) + _cpu(tried.database) - before
    with _relays_on(of, state / "out", server, 1) as tried:
        _until_out(tried, count // 10)
        before = _cpu(tried.ours) + _cpu(tried.database)
        first = tried.left(0)
        _until_out(tried, count)
        relaying = _cpu(tried.ours) + _cpu(tried.database) - before
        went = first - tried.left(0)
    return accepting / count * 1e6, relaying / went * 1e6


# --- What is tried -------------------------------------------------------------------------------

_ROUTE = """
[[routes]]
account = "website"
mailbox = "sender"
"""


@contextmanager
def _embedded(of: Cloud, state: Path) -> Iterator[Tried]:
    before = of.submitted()
    with relay(of, state, authorized=True, extra=_ROUTE) as server:
        yield Tried(
            server.port, [server.process.pid], [], lambda count: before + count - of.submitted()
        )


@contextmanager
def _sharing(of: Cloud, count: int, state: Path) -> Iterator[Tried]:
    with running(DURABLE, free_port()) as server, _relays_on(of, state, server, count) as tried:
        yield tried


@contextmanager
def _relays_on(
    of: Cloud, state: Path, server: PostgresServer, count: int, *, authorized: bool = True
) -> Iterator[Tried]:
    url = f"postgresql://relay@127.0.0.1:{server.port}/postgres?sslmode=disable"
    extra = f'{_ROUTE}\n[spool]\nurl = "{url}"\n'
    before = of.submitted()
    with ExitStack() as stack:
        places = [state / str(number) for number in range(count)]
        for place in places:
            given_key(place, _KEY)
        relays = [
            stack.enter_context(relay(of, place, authorized=authorized, extra=extra))
            for place in places
        ]
        front = stack.enter_context(_haproxy(state, [one.port for one in relays]))
        processes = [one.process.pid for one in relays]
        yield Tried(front, processes, [server.pid], _unsent(of, before))


def _unsent(of: Cloud, before: int) -> Callable[[int], int]:
    return lambda count: before + count - of.submitted()


@contextmanager
def _haproxy(folder: Path, ports: list[int]) -> Iterator[int]:
    front = free_port()
    servers = "\n".join(f"    server r{port} 127.0.0.1:{port}" for port in ports)
    config = folder / "haproxy.cfg"
    config.write_text(
        "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n"
        f"    timeout server 60s\nlisten smtp\n    bind 127.0.0.1:{front}\n{servers}\n",
        "utf-8",
    )
    command = [str(needs("haproxy")), "-db", "-f", str(config)]
    with subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL) as process:
        try:
            until_greeted(front, process)
            yield front
        finally:
            process.kill()


@contextmanager
def _postfix(state: Path) -> Iterator[Tried]:
    with forwarding_postfix(state) as server:
        yield Tried(server.port, [server.process.pid], [], lambda _: postfix.waiting(state))


# --- Measuring -----------------------------------------------------------------------------------


def _measured(tried: Tried) -> Run:
    """A first tenth warms up."""
    _send(tried, EACH // 10)
    _until_out(tried, EACH // 10 * len(MAILBOXES))
    before, began = (_cpu(tried.ours), _cpu(tried.database)), time.perf_counter()
    _send(tried, EACH)
    accepted = time.perf_counter() - began
    _until_out(tried, (EACH // 10 + EACH) * len(MAILBOXES))
    relayed = time.perf_counter() - began
    ours, database = _cpu(tried.ours) - before[0], _cpu(tried.database) - before[1]
    timing = load.run(
        tried.port, connections=20, messages=TIMED, per_connection=25, size=SMALL,
        sender=MAILBOXES[0],
    )  # fmt: skip
    timed = asyncio.run(timing)
    count = EACH * len(MAILBOXES)
    return Run(
        accepted=count / accepted,
        relayed=count / relayed,
        cpu=ours / count * 1e6,
        database=database / count * 1e6,
        final_dot=timed.percentile(0.99) * 1000,
    )


def _send(tried: Tried, each: int) -> None:
    """By smtp-source, for each mailbox."""
    words = ["-s", "2", "-m", str(each), "-l", str(SMALL), "-M", "client.contoso.com", "-d"]
    sources = [
        subprocess.Popen(
            ["smtp-source", *words, "-f", mailbox, "-t", "a@example.org", f"127.0.0.1:{tried.port}"]
        )
        for mailbox in MAILBOXES
    ]
    failed = [source.wait(300) for source in sources]
    if any(failed):
        raise RuntimeError("a client of the benchmark failed")


def _until_out(tried: Tried, count: int) -> None:
    gives_up = time.perf_counter() + 300
    while tried.left(count) > 0:
        if time.perf_counter() > gives_up:
            raise TimeoutError(f"{tried.left(count)} of {count} messages have not gone out")
        time.sleep(0.02)


def _cpu(processes: Sequence[int]) -> float:
    """Seconds, with all descendants, also those that have ended."""
    total = 0.0
    for process in processes:
        top = psutil.Process(process)
        for one in (top, *top.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
