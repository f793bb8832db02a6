"""What clients are refused, from the reply to the page that shows it."""

import asyncio
import re
import smtplib
from pathlib import Path

import aiohttp

from tests.console.conftest import HASH, Browser
from tests.world import World, world

EXTRA = f"""
[smtp]
max_message_size = "1 MB"
max_recipients = 1
[[smtp.listeners]]
address = "127.0.0.1:0"
auth = "optional"
auth_in_clear = true
[[smtp.users]]
name = "scanner"
password_hash = "{HASH}"
[[routes]]
sender = ["*@contoso.com"]
account = "website"
"""
LOOP = "".join("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" for _ in range(200))


def refused(here: World) -> list[int]:
    """The codes of the replies."""
    port = int(here.relay.addresses[1].rpartition(":")[2])
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        wrong = client.docmd("AUTH PLAIN AHNjYW5uZXIAd3Jvbmc=")[0]
    with here.client() as client:
        client.ehlo()
        client.mail("x@fabrikam.example")
        client.rcpt("alice@contoso.com")
        no_route = client.data(b"From: x@fabrikam.example\r\n\r\nx\r\n")[0]
        large = client.docmd("MAIL FROM:<wp@contoso.com> SIZE=9000000")[0]
        client.mail("wp@contoso.com")
        client.rcpt("alice@contoso.com")
        many = client.rcpt("bob@contoso.com")[0]
        loop = client.data(f"From: wp@contoso.com\r\n{LOOP}\r\nx\r\n".encode())[0]
    return [wrong, no_route, large, many, loop]


async def test_every_kind_of_refusal_is_on_the_page_with_its_client(tmp_path: Path) -> None:
    async with (
        world(tmp_path, console="127.0.0.1:0", extra=EXTRA) as here,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        codes = await asyncio.to_thread(refused, here)
        assert codes == [535, 550, 552, 452, 554]
        assert here.relay.console
        browser = Browser(here.relay.console.url, session)
        path = here.relay.console.link("root").removeprefix(browser.base)
        await browser.get(path)
        await browser.post(path)
        missing = set(map(str, codes))
        async with asyncio.timeout(30):
            while missing:  # they are written after a pause
                text = (await browser.get("/log/refused")).text
                missing -= set(re.findall(r"<bdi>(\d{3}) ", text))
        assert "127.0.0.1" in text
