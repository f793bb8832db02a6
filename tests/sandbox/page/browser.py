"""A real Chromium, controlled over the DevTools protocol by a WebSocket alone."""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.tools import needs

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
]


class PageWasLeftError(AssertionError):
    """While a promise of it was waited for."""


class Tab:
    """One page. Everything waits for the page itself, never for time."""

    def __init__(
        self, session: aiohttp.ClientSession, address: str, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.session, self.address = session, address
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        """The URL of everything that the page asked for, also where a policy stopped it."""
        self.problems: list[str] = []
        """Exceptions of the page's scripts."""

    async def listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif said["method"] == "Runtime.exceptionThrown":
                self.problems.append(str(said["params"]["exceptionDetails"]))

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, 60)
        if "navigated" in said.get("error", {}).get("message", ""):
            raise PageWasLeftError(said)
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, url: str, *, width: int = 1280, height: int = 800) -> None:
        for domain in ("Page", "Runtime", "Network"):
            await self.call(f"{domain}.enable")
        await self.resize(width, height)
        await self.navigate(url)

    async def navigate(self, url: str) -> None:
        """Return when the page has been loaded; it may be one in which scripts cannot run."""
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def prefer(self, scheme: str) -> None:
        """`light` or `dark`, as the reader's system would set it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def evaluate(self, expression: str) -> Any:
        said = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait for the page, or the one that comes after it, to change so that `condition` holds;
        its value."""
        promise = f"""new Promise((done) => {{
                const look = () => {{
                    const value = (() => {{ try {{ return {condition}; }} catch {{ }} }})();
                    if (value) done(value); else requestAnimationFrame(look);
                }};
                look();
            }})"""
        while True:
            with contextlib.suppress(PageWasLeftError):
                return await self.evaluate(promise)

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    async def press_text(self, text: str) -> None:
        """A key that types something: Enter is a carriage return."""
        key = "Enter" if text == "\r" else text
        code = {"\r": ("Enter", 13), " ": ("Space", 32)}[text]
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=code[0],
                text=text,
                windowsVirtualKeyCode=code[1],
            )

    async def picture(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browser(profile: Path, *more_flags: str) -> AsyncIterator[Tab]:
    """Chromium with an empty profile; `profile` is a new folder. Skips if Chromium is not
    installed."""
    process = await asyncio.create_subprocess_exec(
        needs("chromium"),
        *_FLAGS,
        *more_flags,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        url = await asyncio.wait_for(_devtools_url(process.stderr), 60)
        drain = asyncio.create_task(_drain(process.stderr))
        async with aiohttp.ClientSession(f"http://{url.split('/')[2]}", trust_env=False) as session:
            [address] = await _tabs(session)
            async with _connected(session, address) as tab:
                yield tab
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def opened_at(url: str, by: Tab) -> AsyncIterator[Tab]:
    """The other tab, once it is at a page whose URL begins so."""
    found = set[str]()
    async with asyncio.timeout(60):
        while not found:
            found = await _tabs(by.session, url) - {by.address}
    [address] = found
    async with _connected(by.session, address) as other:
        yield other


async def _tabs(session: aiohttp.ClientSession, url: str = "") -> set[str]:
    """Where those at such a page are controlled."""
    async with session.get("/json") as answer:
        pages = await answer.json()
    return {
        one["webSocketDebuggerUrl"]
        for one in pages
        if one["type"] == "page" and one["url"].startswith(url)
    }


@asynccontextmanager
async def _connected(session: aiohttp.ClientSession, address: str) -> AsyncIterator[Tab]:
    # aiohttp 3.8 of Debian 12 takes no whole address where the session has a beginning of it.
    async with session.ws_connect(urlsplit(address).path, max_msg_size=0) as socket:
        tab = Tab(session, address, socket)
        listening = asyncio.create_task(tab.listen())
        try:
            yield tab
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _devtools_url(stderr: asyncio.StreamReader) -> str:
    async for line in stderr:
        if b"DevTools listening on " in line:
            return line.decode().rpartition(" ")[2].strip()
    raise AssertionError("Chromium ended before it listened")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(65536):
        pass
