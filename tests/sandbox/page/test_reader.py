"""The page in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import Delay
from tests.sandbox.page.browser import Tab, browser
from tests.sandbox.world import Graph, message

LIVE = "document.getElementById('state').className.includes('live')"

NASTY = """\
<html><head><title>x</title>
<script>parent.document.title = "HACKED"; top.hacked = 1;</script>
<meta http-equiv="refresh" content="0;url=http://evil.example/refresh">
<link rel="stylesheet" href="http://evil.example/style.css">
<style>@import url(http://evil.example/import.css);
body { background: url(http://evil.example/bg.png) }</style>
</head><body onload="parent.hacked = 2">
<p id="seen">Hello</p>
<img src="http://evil.example/pixel.gif">
<img src="x" onerror="parent.hacked = 3">
<svg onload="parent.hacked = 4"></svg>
<iframe src="http://evil.example/frame"></iframe>
<iframe srcdoc="<script>top.hacked = 5</script>"></iframe>
<object data="http://evil.example/object"></object>
<a id="link" href="javascript:parent.hacked=6">click</a>
<form action="/api/messages" method="post"><button id="send">send</button></form>
<base href="http://evil.example/">
</body></html>
"""


@pytest.fixture
async def tab(tmp_path: Path, cloud: Sandbox) -> AsyncIterator[Tab]:
    async with browser(tmp_path / "profile") as tab:
        await tab.open(cloud.page_url)
        await tab.until(LIVE)
        yield tab
        assert tab.problems == []


class Tracker:
    """A server that counts visits, as senders of newsletters do."""

    def __init__(self) -> None:
        self.visits = 0
        self.port = 0

    async def visited(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1  # a connection alone already shows that somebody reads
        writer.close()


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    tracker = Tracker()
    server = await asyncio.start_server(tracker.visited, "127.0.0.1", 0)
    tracker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield tracker


async def rows(tab: Tab) -> list[str]:
    found: list[str] = await tab.evaluate(
        "[...document.querySelectorAll('.row .subject')].map((one) => one.textContent)"
    )
    return found


async def test_a_message_appears_by_itself_and_is_read(tab: Tab, graph: Graph) -> None:
    assert await tab.evaluate("!document.getElementById('empty').hidden")
    await graph.send(message("you@example.org", "Bcc: hidden@example.org", body="The text.\r\n"))
    await tab.until("document.querySelectorAll('.row').length === 1")
    assert await rows(tab) == ["Test"]
    assert await tab.evaluate("document.title") == "(1) Sandbox mailbox"

    await tab.evaluate("document.querySelector('.row').click()")
    await tab.until("document.querySelector('#panel pre')?.textContent === 'The text.\\n'")
    head = await tab.evaluate("document.querySelector('.head').innerText")
    for expected in ("wp@contoso.com", "you@example.org", "hidden@example.org", "Received by"):
        assert expected in head
    assert await tab.evaluate("document.title") == "Sandbox mailbox"

    await tab.evaluate("document.querySelector('#tab-raw').click()")
    await tab.until(
        "document.querySelector('pre.raw')?.textContent.includes('Bcc: hidden@example.org')"
    )


async def test_nothing_in_a_message_runs_or_loads(
    tab: Tab, graph: Graph, cloud: Sandbox, tracker: Tracker
) -> None:
    head = message("you@example.org", "Content-Type: text/html; charset=utf-8", body="")
    nasty = NASTY.replace("evil.example", f"127.0.0.1:{tracker.port}").replace("\n", "\r\n")
    await graph.send(head + nasty.encode())
    await tab.until("document.querySelectorAll('.row').length === 1")
    await tab.evaluate("location.hash = '#1/html'")
    await tab.until(
        "performance.getEntriesByType('resource')"
        ".some((one) => one.name.endsWith('/api/messages/1/html') && one.responseEnd)"
    )
    # The frame has another origin than the page, so neither can access the other.
    assert await tab.evaluate("document.querySelector('#panel iframe').contentDocument") is None
    assert await tab.evaluate("typeof window.hacked") == "undefined"
    assert await tab.evaluate("document.title") == "Sandbox mailbox"
    assert "not loaded" in await tab.evaluate("document.querySelector('#panel').innerText")

    assert tracker.visits == 0

    # The same if the frame's address is opened by itself.
    await tab.navigate(f"{cloud.page_url}/api/messages/1/html")
    assert await tab.evaluate("document.getElementById('seen').textContent") == "Hello"
    assert await tab.evaluate("typeof window.hacked") == "undefined"
    await tab.evaluate("document.getElementById('link').click()")
    await tab.evaluate("document.getElementById('send').click()")
    assert await tab.evaluate("document.getElementById('seen').textContent") == "Hello"
    assert tracker.visits == 0


async def test_what_a_message_says_of_itself_is_shown_as_text(tab: Tab, graph: Graph) -> None:
    evil = "<img src=x onerror=hacked=1>"
    octets = message("you@example.org", f"X-Evil: {evil}", sender=f'"{evil}" <wp@contoso.com>')
    await graph.send(octets.replace(b"Subject: Test", f"Subject: {evil}".encode()))
    await tab.until("document.querySelectorAll('.row').length === 1")
    await tab.evaluate("location.hash = '#1/headers'")
    await tab.until("document.querySelector('table.headers')")
    assert await rows(tab) == [evil]
    assert await tab.evaluate("document.querySelector('.head h2').textContent") == evil
    assert await tab.evaluate("document.images.length") == 0
    assert await tab.evaluate("typeof window.hacked") == "undefined"


async def test_it_is_used_with_the_keyboard_alone(tab: Tab, graph: Graph) -> None:
    for number in range(3):
        await graph.send(message().replace(b"Test", f"Test {number}".encode()))
    await tab.until("document.querySelectorAll('.row').length === 3")
    chosen = "document.querySelector('.row[aria-current=true] .subject')?.textContent"
    for key, subject in (("ArrowDown", "Test 2"), ("j", "Test 1"), ("k", "Test 2")):
        await tab.press(key)
        await tab.until(f"{chosen} === '{subject}' && document.querySelector('.head h2')")
    await tab.press("ArrowRight")
    await tab.until("document.querySelector('#tab-headers').ariaSelected === 'true'")
    await tab.press("Escape")
    await tab.until("document.getElementById('message').hidden")
    await tab.press("/")
    assert await tab.evaluate("document.activeElement.id") == "filter"
    await tab.call("Input.insertText", text="test 0")
    await tab.until("document.querySelectorAll('.row').length === 1")
    assert await rows(tab) == ["Test 0"]


async def test_faults_are_announced_and_switched_off(
    tab: Tab, graph: Graph, cloud: Sandbox
) -> None:
    cloud.faults.on(Delay(seconds=0))
    await graph.send(message())
    await tab.until("document.getElementById('faults').innerText.includes('delay')")
    await tab.evaluate("document.querySelector('#faults button').click()")
    await tab.until("document.getElementById('faults').hidden")
    assert cloud.faults.active() == ()


async def test_deleting_asks_first(tab: Tab, graph: Graph, page: httpx.AsyncClient) -> None:
    await graph.send(message())
    await tab.until("document.querySelectorAll('.row').length === 1")
    for answer, left in (("no", 1), ("yes", 0)):
        await tab.evaluate("document.getElementById('clear').click()")
        await tab.evaluate(f"document.querySelector('#confirm [value={answer}]').click()")
        await tab.until(f"document.querySelectorAll('.row').length === {left}")
    assert (await page.get("/api/messages")).json()["total"] == 0
    assert await tab.evaluate("!document.getElementById('empty').hidden")


async def test_light_and_dark_follow_the_system_until_one_is_chosen(tab: Tab) -> None:
    dark = "document.documentElement.classList.contains('dark')"
    for scheme, expected in (("dark", True), ("light", False)):
        await tab.prefer(scheme)
        await tab.until(f"{dark} === {str(expected).lower()}")
    await tab.evaluate("document.getElementById('theme').click()")
    assert await tab.evaluate(dark) is True
