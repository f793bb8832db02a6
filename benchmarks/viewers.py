"""What the console costs: ten people who look at it while mail flows, and pages over a long queue
and a long mail log.

    viewers   one relay, in turns with and without ten pages that are open and renew themselves with
              each event, as console.js does; the same messages go in and out each time
    pages     the first time that each page is asked for, and again; memory before and after

A loss is that of one pair of turns; the figure is the median of all pairs. The CPU is that of the
relay alone. The rate has in it what the viewers' own program takes of the machine: it sends
requests that are made once, and discards what it reads.
"""

import asyncio
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
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
    renewed = list[int]()
    with _console() as port, relay(of, folder / "state", authorized=True) as server:
        cookies = [_signed_in(folder / "state") for _ in range(VIEWERS)]
        _through(of, server, WARM_UP)
        for run in range(runs):
            for watched in ((False, True), (True, False))[run % 2]:
                with _watching(port, cookies if watched else []) as seen:
                    found[watched].append(_through(of, server, MESSAGES))
                renewed += [one.renewed for one in seen]
    pairs = list(zip(found[False], found[True], strict=True))
    head(f"{MESSAGES} messages in and out", "relayed /s", "CPU µs a message", "pages")
    for watched, name in ((False, "nobody looks"), (True, f"{VIEWERS} viewers")):
        rates, costs = zip(*found[watched], strict=True)
        shown = sum(renewed) // runs if watched else 0
        row(name, with_noise(rates), with_noise(costs), shown)
    slower = [1 - with_[0] / without[0] for without, with_ in pairs]
    dearer = [with_[1] / without[1] - 1 for without, with_ in pairs]
    row("loss", f"{median(slower):.1%}", f"{median(dearer):.1%}", "")


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


class Viewer:
    """One who has a page open."""

    def __init__(self, port: int, cookie: dict[str, str], page: str) -> None:
        same = f"Host: 127.0.0.1:{port}\r\nCookie: {cookie['Cookie']}\r\n"
        self._request = f"GET {page} HTTP/1.1\r\n{same}X-Renewal: 1\r\n\r\n".encode()
        self.events, self.page = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        self.events.sendall(f"GET /events HTTP/1.1\r\n{same}\r\n".encode())
        self.renewed = 0
        self._begins = True

    def hear(self) -> None:
        """After an event the page is asked for again."""
        if b"data:" in self._received(self.events):
            self.page.sendall(self._request)
            self._begins = True

    def read(self) -> None:
        """Read of a page what is there."""
        octets = self._received(self.page)
        if self._begins:
            assert octets.startswith(b"HTTP/1.1 200 "), octets
            self.renewed += 1
            self._begins = False

    def _received(self, one: socket.socket) -> bytes:
        if octets := one.recv(65536):
            return octets
        raise ConnectionError("the console has closed a connection")

    def close(self) -> None:
        self.events.close()
        self.page.close()


@contextmanager
def _watching(port: int, cookies: list[dict[str, str]]) -> Iterator[list[Viewer]]:
    """Whoever has these cookies has a page open."""
    over = threading.Event()
    with ExitStack() as stack:
        seen = [
            Viewer(port, cookie, PAGES[number % 5 % len(PAGES)])
            for number, cookie in enumerate(cookies)
        ]
        for one in seen:
            stack.callback(one.close)
        reading = stack.enter_context(ThreadPoolExecutor(1)).submit(_read, seen, over)
        try:
            yield seen
        finally:
            over.set()
        reading.result()


def _read(viewers: list[Viewer], over: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:
        for one in viewers:
            selector.register(one.events, selectors.EVENT_READ, one.hear)
            selector.register(one.page, selectors.EVENT_READ, one.read)
        while not over.is_set():
            for key, _ in selector.select(0.1):
                key.data()


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
