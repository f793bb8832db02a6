"""The redirect receiver accepts one answer, to this sign-in, from this machine's browser."""

import asyncio
import re
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrelay.oauth.sign_in.loopback import LARGEST_HEAD, Page, RedirectReceiver, query_of

DONE = Page("Authorized", "You can close this window.")


async def ask(
    receiver: RedirectReceiver,
    target: str,
    method: str = "GET",
    host: str | None = None,
    address: str = "127.0.0.1",
) -> str:
    """One request; the whole answer."""
    port = receiver.redirect_uri.rsplit(":", 1)[1]
    head = f"{method} {target} HTTP/1.1\r\nHost: {host or f'localhost:{port}'}\r\n\r\n"
    return await send(receiver, head.encode(), address)


async def send(receiver: RedirectReceiver, octets: bytes, address: str = "127.0.0.1") -> str:
    port = int(receiver.redirect_uri.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(octets)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_the_answer_is_handed_over_and_the_browser_sees_what_came_of_it() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        browser = asyncio.create_task(ask(receiver, "/?code=c1&state=s1"))
        arrival = await receiver.arrival()
        assert query_of(arrival.query) == {"code": "c1", "state": "s1"}
        assert not browser.done()
        arrival.show(Page("Done", "<b>wp@contoso.com</b>"))
        page = await browser
    assert page.startswith("HTTP/1.1 200 OK")
    assert "&lt;b&gt;wp@contoso.com&lt;/b&gt;" in page
    assert "no-store" in page
    assert "no-referrer" in page
    assert "c1" not in page


async def test_localhost_may_mean_either_address() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        if not _has_ipv6():
            pytest.skip("this machine has no ::1")
        browser = asyncio.create_task(ask(receiver, "/?code=c&state=s1", address="::1"))
        (await receiver.arrival()).show(DONE)
        assert "200 OK" in await browser


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_it_listens_on_loopback_alone() -> None:
    async with RedirectReceiver() as receiver:
        addresses = {
            sock.getsockname()[0] for server in receiver._servers for sock in server.sockets
        }
    assert addresses <= {"127.0.0.1", "::1"}


async def test_the_redirect_uri_is_the_registered_one_with_a_port() -> None:
    async with RedirectReceiver() as receiver:
        assert re.fullmatch(r"http://localhost:\d+", receiver.redirect_uri)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/?code=c&state=other", "400"),
        ("/?code=c", "400"),
        ("/", "400"),
        ("/?code=c&state=s1&state=s1", "400"),
        ("/favicon.ico", "404"),
        ("/other?code=c&state=s1", "404"),
        ("//evil/?code=c&state=s1", "404"),
    ],
)
async def test_anything_else_changes_nothing(target: str, status: str) -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        assert f"HTTP/1.1 {status} " in await ask(receiver, target)
        browser = asyncio.create_task(ask(receiver, "/?code=c&state=s1"))
        (await receiver.arrival()).show(DONE)
        assert "200 OK" in await browser


async def test_nothing_is_accepted_before_a_state_is_expected() -> None:
    async with RedirectReceiver() as receiver:
        assert "400" in await ask(receiver, "/?code=c&state=")


async def test_a_page_elsewhere_that_points_its_name_here_gets_nothing() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        assert "404" in await ask(receiver, "/?code=c&state=s1", host="evil.example")


async def test_other_methods_are_not_allowed() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        assert "405" in await ask(receiver, "/?code=c&state=s1", method="POST")
        assert await ask(receiver, "/?code=c&state=s1", method="HEAD") == ""


async def test_a_second_answer_gets_a_page_that_says_so() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        browser = asyncio.create_task(ask(receiver, "/?code=c&state=s1"))
        (await receiver.arrival()).show(DONE)
        await browser
        assert "410 Gone" in await ask(receiver, "/?code=c&state=s1")


async def test_a_request_in_pieces_is_read() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        port = int(receiver.redirect_uri.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for octet in f"GET /?code=c&state=s1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode():
            writer.write(bytes([octet]))
            await writer.drain()
        (await receiver.arrival()).show(DONE)
        assert b"200 OK" in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_what_is_not_http_gets_an_error() -> None:
    async with RedirectReceiver() as receiver:
        assert "400" in await send(receiver, b"\x16\x03\x01 hello\r\n\r\n")
        assert "431" in await send(receiver, b"GET / HTTP/1.1\r\nX: " + b"a" * LARGEST_HEAD)


async def test_a_browser_that_connects_ahead_of_need_and_leaves_is_no_trouble() -> None:
    async with RedirectReceiver() as receiver:
        receiver.expect("s1")
        port = int(receiver.redirect_uri.rsplit(":", 1)[1])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        browser = asyncio.create_task(ask(receiver, "/?code=c&state=s1"))
        (await receiver.arrival()).show(DONE)
        assert "200 OK" in await browser


async def test_giving_up_leaves_no_browser_waiting() -> None:
    receiver = RedirectReceiver()
    async with receiver:
        receiver.expect("s1")
        browser = asyncio.create_task(ask(receiver, "/?code=c&state=s1"))
        await receiver.arrival()
    assert "Sign-in ended" in await browser


async def test_giving_up_before_the_browser_came_back_frees_the_port() -> None:
    async with RedirectReceiver() as receiver:
        waiting = asyncio.create_task(receiver.arrival())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    with pytest.raises(OSError, match="onnect"):
        await ask(receiver, "/")


@given(st.text())
@settings(max_examples=200)
def test_any_text_is_read_as_a_query(text: str) -> None:
    assert all(isinstance(value, str) for value in query_of(text).values())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://localhost:1/?code=a&state=b", {"code": "a", "state": "b"}),
        ("http://localhost:1/#code=a&state=b", {"code": "a", "state": "b"}),
        ("?code=a%20b", {"code": "a b"}),
        ("code=a&code=b&state=c", {"state": "c"}),
        ("redirect=http://x/?y", {"redirect": "http://x/?y"}),
        ("http://[broken", {}),
    ],
)
def test_a_query_is_found_in_what_people_paste(text: str, wanted: dict[str, str]) -> None:
    assert query_of(text) == wanted
