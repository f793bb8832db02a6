"""Relaying through TLS to the sandbox: from a full queue, and while mail comes in."""

import asyncio
import time
from pathlib import Path

from benchmarks import load
from benchmarks.bare_requests import bare_requests
from benchmarks.cloud import MAILBOXES
from benchmarks.figures import head, median, row
from benchmarks.processes import cpu_seconds
from benchmarks.servers import Cloud, relay

SMALL = 4_000
LATENCY = 0.1
AT_ONCE = 4
"""Requests that Exchange takes at once for a mailbox."""
EACH_BY_ITS_OWN = """
[[routes]]
sender = ["*@contoso.com"]
account = "website"
mailbox = "sender"
"""
ONE = ("wp@contoso.com",)


def relaying(of: Cloud, folder: Path, runs: int) -> None:
    """4 kB messages from a full queue; at 100 ms beside what Exchange's limit allows, and what bare
    connections make of that with this cloud."""
    head("from a full queue", "relayed /s", "CPU us each", "of what is allowed")
    for name, mailboxes, messages, latency in (
        ("1 mailbox, no latency", ONE, 2000, 0.0),
        ("50 mailboxes, no latency", MAILBOXES, 2000, 0.0),
        ("1 mailbox, 100 ms", ONE, 400, LATENCY),
        ("50 mailboxes, 100 ms", MAILBOXES, 4000, LATENCY),
    ):
        found = [
            _relayed(of, folder / f"{name}-{run}", mailboxes, messages, latency)
            for run in range(runs)
        ]
        rate, cpu = (median(column) for column in zip(*found, strict=True))
        allowed = (
            f"{rate / (len(mailboxes) * AT_ONCE / latency):.1%}"
            if latency and len(mailboxes) == 1
            else ""
        )
        row(name, f"{rate:.1f}", f"{cpu:.0f}", allowed)
    of.answer_after(LATENCY)
    bare = median(bare_requests(of, ONE[0], 400, SMALL, AT_ONCE) for _ in range(runs))
    of.answer_after(0)
    row("bare connections, 100 ms", f"{bare:.1f}", "", f"{bare / (AT_ONCE / LATENCY):.1%}")


def under_load(of: Cloud, folder: Path, runs: int) -> None:
    """The answer to the final dot while everything that came in goes out as fast as it can."""
    head("20 connections", "accepted /s", "median ms", "99 % ms", "worst ms")
    for name, authorized in (("nothing goes out", False), ("all goes out", True)):
        found = []
        for run in range(runs):
            state = folder / f"{name}-{run}"
            if authorized:
                _fill(of, state, ONE, 1500)
            with relay(of, state, authorized=authorized) as server:
                shape = load.run(
                    server.port, connections=20, messages=2000, per_connection=50, size=SMALL
                )
                done = asyncio.run(shape)
            shares = (done.percentile(share) * 1000 for share in (0.5, 0.99, 1.0))
            found.append((done.rate, *shares))
        rate, *slow = (median(column) for column in zip(*found, strict=True))
        row(name, f"{rate:.0f}", *(f"{ms:.1f}" for ms in slow))


def _relayed(
    of: Cloud, state: Path, mailboxes: tuple[str, ...], messages: int, latency: float
) -> tuple[float, float]:
    """Messages a second from the first to the last, microseconds of CPU for each."""
    _fill(of, state, mailboxes, messages)
    before = of.submitted()
    of.answer_after(latency)
    try:
        with relay(of, state, authorized=True, extra=EACH_BY_ITS_OWN) as server:
            first = of.until(before + messages // 10)
            seen, spent = of.submitted(), cpu_seconds(server.process)
            last = of.until(before + messages)
            cpu = (cpu_seconds(server.process) - spent) / (before + messages - seen)
    finally:
        of.answer_after(0)
    return (before + messages - seen) / (last - first), cpu * 1e6


def _fill(of: Cloud, state: Path, mailboxes: tuple[str, ...], messages: int) -> None:
    with relay(of, state, authorized=False, extra=EACH_BY_ITS_OWN) as server:
        asyncio.run(_send(server.port, mailboxes, messages))


async def _send(port: int, mailboxes: tuple[str, ...], messages: int) -> None:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for mailbox in mailboxes:
            tasks.create_task(
                load.run(
                    port,
                    connections=max(1, 20 // len(mailboxes)),
                    messages=messages // len(mailboxes),
                    per_connection=50,
                    size=SMALL,
                    sender=mailbox,
                )
            )
    assert time.perf_counter() > began
