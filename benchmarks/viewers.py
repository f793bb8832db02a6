"""What the console costs: ten people who look at it while mail flows, and pages over a long queue
and a long mail log.

    viewers   one relay, in turns with and without ten pages that are open and renew themselves with
              each event, as console.js does; the same messages go in and out each time
    pages     the first time that each page is asked for, and again; memory before and after

A loss is that of one pair of turns; the figure is the median of all pairs. Elapsed time has in it
what the ten browsers take of the machine, which is their own; the CPU is that of the relay alone.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from benchmarks.figures import head, median, row, with_noise
from benchmarks.multiplied import multiply
from benchmarks.processes import cpu_seconds, free_port, resident
from benchmarks.servers import Cloud, Server, relay
from benchmarks.throughput import AT_ONCE, send

VIEWERS, MESSAGES, WARM_UP = 10, 2_000, 500
PAGES = ("/", "/queue", "/log", "/accounts")
"""What the viewers look at, in turns; most look at the first."""
LONG = 100_000


def viewers(of: Cloud, folder: Path, runs: int) -> None:
    """Accepting and relaying, while somebody looks and while nobody does."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with _console() as port, relay(of, folder / "state", authorized=True) as server:
        cookie = _signed_in(folder / "state")
        _through(of, server, WARM_UP)
        for run in range(runs):
            for watched in ((False, True), (True, False))[run % 2]:
                with _watching(port, cookie) if watched else _nobody():
                    found[watched].append(_through(of, server, MESSAGES))
    pairs = list(zip(found[False], found[True], strict=True))
    head(f"{MESSAGES} messages in and out", "relayed /s", "CPU µs a message")
    for watched, name in ((False, "nobody looks"), (True, f"{VIEWERS} viewers")):
        rates, costs = zip(*found[watched], strict=True)
        row(name, with_noise(rates), with_noise(costs))
    slower = [1 - with_[0] / without[0] for without, with_ in pairs]
    dearer = [with_[1] / without[1] - 1 for without, with_ in pairs]
    row("loss", f"{median(slower):.1%}", f"{median(dearer):.1%}")


def pages(of: Cloud, folder: Path, runs: int) -> None:
    """Each page over 100,000 messages that wait, and over as many in the mail log."""
    head(f"of {LONG:,}", "page", "first ms", "again ms", "memory MB before", "after")
    for name, done in (("waiting", False), ("in the mail log", True)):
        multiply(folder / name, LONG, done=done)
        for page in PAGES:
            times: list[tuple[float, float]] = []
            memory: list[tuple[float, float]] = []
            for _ in range(runs):
                with _console() as port, relay(of, folder / name, authorized=False) as server:
                    time.sleep(1)
                    cookie = _signed_in(folder / name)
                    before = resident(server.process)
                    times.append(asyncio.run(_timed(port, cookie, page)))
                    memory.append((before, resident(server.process)))
            first, again = (median(one[i] for one in times) * 1e3 for i in (0, 1))
            before, after = (median(one[i] for one in memory) for i in (0, 1))
            row(name, page, f"{first:.0f}", f"{again:.0f}", f"{before:.0f}", f"{after:.0f}")


@contextmanager
def _console() -> Iterator[int]:
    """Relays that start within listen there."""
    port = free_port()
    os.environ["GRAPHRELAY_CONSOLE__ADDRESS"] = f"127.0.0.1:{port}"
    try:
        yield port
    finally:
        del os.environ["GRAPHRELAY_CONSOLE__ADDRESS"]


def _signed_in(state: Path) -> dict[str, str]:
    """The header of a session, begun by a link as the administrator does."""
    command = ["-m", "graphrelay", "--config", str(state / "config.toml"), "console", "--json"]
    said = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return asyncio.run(_entered(str(json.loads(said.stdout.splitlines()[0])["url"])))


async def _entered(url: str) -> dict[str, str]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, trust_env=False) as session:
        async with session.get(url) as page:
            [token] = re.findall(r'name="token" value="(\w+)"', await page.text())
        async with session.post(url, data={"token": token}) as page:
            page.raise_for_status()
    return {"Cookie": "; ".join(f"{one.key}={one.value}" for one in jar)}


@contextmanager
def _nobody() -> Iterator[None]:
    yield


@contextmanager
def _watching(port: int, cookie: dict[str, str]) -> Iterator[None]:
    """Ten pages are open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(_all_watch(port, cookie), loop)
    try:
        yield
        if future.done():
            future.result()
    finally:
        future.cancel()
        loop.call_soon_threadsafe(loop.call_later, 0.2, loop.stop)
        thread.join()


async def _all_watch(port: int, cookie: dict[str, str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(VIEWERS):
            tasks.create_task(_watch(port, cookie, PAGES[number % 5 % len(PAGES)]))


async def _watch(port: int, cookie: dict[str, str], page: str) -> None:
    base = f"http://127.0.0.1:{port}"
    async with (
        aiohttp.ClientSession(base, headers=cookie, trust_env=False) as session,
        session.get("/events", timeout=aiohttp.ClientTimeout()) as events,
    ):
        events.raise_for_status()
        async for line in events.content:
            if line.startswith(b"data:"):
                async with session.get(page, headers={"X-Renewal": "1"}) as shown:
                    shown.raise_for_status()
                    await shown.read()


async def _timed(port: int, cookie: dict[str, str], page: str) -> tuple[float, float]:
    """Seconds of the first time and of the second."""
    base, found = f"http://127.0.0.1:{port}", list[float]()
    async with aiohttp.ClientSession(base, headers=cookie, trust_env=False) as session:
        for _ in range(2):
            began = time.perf_counter()
            async with session.get(page) as shown:
                shown.raise_for_status()
                await shown.read()
            found.append(time.perf_counter() - began)
    return found[0], found[1]


def _through(of: Cloud, server: Server, messages: int) -> tuple[float, float]:
    """Messages a second until all are out, and microseconds of CPU for each."""
    before, cpu = of.submitted(), cpu_seconds(server.process)
    began = time.perf_counter()
    send(server, AT_ONCE, messages, 1)
    of.until(before + messages)
    seconds = time.perf_counter() - began
    return messages / seconds, (cpu_seconds(server.process) - cpu) / messages * 1e6
