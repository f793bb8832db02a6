"""How close the relay comes to Exchange's limit, and how long clients wait while it sends."""

import asyncio
from pathlib import Path

from benchmarks import load
from benchmarks.bare_requests import bare_requests
from benchmarks.figures import head, median, row, with_noise
from benchmarks.servers import Cloud, relay
from benchmarks.throughput import AT_ONCE, SMALL, send

LATENCY = 0.1
REQUESTS = 4
"""That Exchange takes at once for a mailbox."""
MESSAGES = 400


def latency(of: Cloud, folder: Path, runs: int) -> None:
    """One mailbox and 100 ms for each answer: messages relayed per second from a full queue,
    compared with the limit and with what bare connections achieve with this cloud."""
    head("1 mailbox, 100 ms for each answer", "relayed /s", "of what is allowed")
    ours, bare = [], []
    for run in range(runs):
        ours.append(_relayed(of, folder / str(run)))
        of.answer_after(LATENCY)
        bare.append(bare_requests(of, "wp@contoso.com", MESSAGES, SMALL, REQUESTS))
        of.answer_after(0)
    for name, rates in (("graphrelay", ours), ("bare connections", bare)):
        row(name, with_noise(rates, 1), f"{median(rates) / (REQUESTS / LATENCY):.1%}")


def final_dot(of: Cloud, folder: Path, runs: int) -> None:
    """The answer to the final dot while everything accepted is relayed as fast as possible."""
    head("20 connections", "accepted /s", "median ms", "99 % ms", "worst ms")
    for name, authorized in (("nothing goes out", False), ("all goes out", True)):
        found = []
        for run in range(runs):
            with relay(of, folder / f"{name}-{run}", authorized=authorized) as server:
                if authorized:
                    send(server, AT_ONCE, 1500, 1)
                shape = load.run(
                    server.port, connections=20, messages=2000, per_connection=50, size=SMALL
                )
                done = asyncio.run(shape)
            shares = (done.percentile(share) * 1000 for share in (0.5, 0.99, 1.0))
            found.append((done.rate, *shares))
        rates, *slow = zip(*found, strict=True)
        row(name, with_noise(rates), *(with_noise(ms, 1) for ms in slow))


def _relayed(of: Cloud, state: Path) -> float:
    """Messages a second, from the first tenth to the last message."""
    with relay(of, state, authorized=False) as server:
        send(server, AT_ONCE, MESSAGES, 1)
    before = of.submitted()
    of.answer_after(LATENCY)
    try:
        with relay(of, state, authorized=True):
            first = of.until(before + MESSAGES // 10)
            seen = of.submitted()
            return (before + MESSAGES - seen) / (of.until(before + MESSAGES) - first)
    finally:
        of.answer_after(0)
