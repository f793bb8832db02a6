"""The console as a part of the daemon: where it listens, what it loads, and that mail is not
affected."""

import asyncio
import ssl
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
import trustme

from graphrelay.console.server import off
from graphrelay.control.verb import VerbError
from graphrelay.smtp.access.listener import Listener
from tests.console.conftest import LISTENER, Opened, Opening, options


async def test_it_says_where_it_listens(opened: Opened) -> None:
    port = opened.console.address.rpartition(":")[2]
    assert opened.console.url == f"http://127.0.0.1:{port}"
    assert opened.events("console-listening") == [{"address": f"127.0.0.1:{port}", "tls": "off"}]


def test_nothing_that_makes_pages_is_loaded_before_somebody_looks() -> None:
    """It would be a tenth of what the daemon needs in memory."""
    program = (
        "import sys, graphrelay.daemon.relay\n"
        "print([name for name in ('aiohttp.web', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_an_address_in_use_is_a_line_in_the_journal_and_nothing_else(
    opened: Opened, opening: Opening
) -> None:
    second = await opening(options(listener=Listener(address=opened.console.address)))
    [line] = second.events("console-not-listening")
    assert "in use" in line["reason"]
    assert second.console.url == ""
    with pytest.raises(VerbError, match="does not listen"):
        await second.link()


async def test_it_serves_a_reverse_proxy_at_a_unix_socket(opening: Opening, tmp_path: Path) -> None:
    path = tmp_path / "console.sock"
    networks = (ip_network("192.0.2.0/24"),)
    listener = Listener(address=f"unix:{path}", allow_from=networks)
    opened = await opening(options(listener=listener, hosts=("console.contoso.com",)))
    assert opened.console.url == "https://console.contoso.com"
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession(connector=connector) as session:
        headers = {"Host": "console.contoso.com", "X-Forwarded-For": "192.0.2.7"}
        async with session.get("http://localhost/sign-in", headers=headers) as answer:
            assert answer.status == 200


async def test_without_a_name_nobody_can_say_where_a_unix_socket_is_found(
    opening: Opening, tmp_path: Path
) -> None:
    opened = await opening(options(listener=Listener(address=f"unix:{tmp_path / 'c.sock'}")))
    with pytest.raises(VerbError, match="by which name"):
        await opened.link()


async def test_it_serves_tls_and_takes_up_a_new_certificate(
    opening: Opening, tmp_path: Path
) -> None:
    file = tmp_path / "both.pem"
    authorities = [trustme.CA(), trustme.CA()]

    def use(authority: trustme.CA) -> ssl.SSLContext:
        certificate = authority.issue_cert("127.0.0.1")
        draft = tmp_path / "draft.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(draft))
        draft.replace(file)
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    use(authorities[0])
    listener = Listener(address="127.0.0.1:0", tls="implicit", certificate_file=file)
    opened = await opening(options(listener=listener))
    assert opened.console.url.startswith("https://127.0.0.1:")
    for authority in authorities:
        connector = aiohttp.TCPConnector(ssl=use(authority))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{opened.console.url}/sign-in") as answer,
        ):
            assert "__Host-graphrelay" in answer.headers["Set-Cookie"]
            assert "Strict-Transport-Security" in answer.headers


async def test_the_link_leads_to_the_proxy_that_is_named(opening: Opening) -> None:
    chosen = options(hosts=("console.contoso.com",), proxy_from=(ip_network("192.0.2.1/32"),))
    opened = await opening(chosen)
    assert opened.console.url == "https://console.contoso.com"


async def test_a_client_of_no_named_network_gets_nothing(opening: Opening) -> None:
    listener = Listener(address="127.0.0.1:0", allow_from=(ip_network("192.0.2.0/24"),))
    opened = await opening(options(listener=listener))
    answer = await (await opened.browser()).get("/sign-in")
    assert (answer.status, answer.text) == (
        403,
        "Refused: 127.0.0.1 is not in [console] allow_from.\n",
    )


async def test_a_hundred_clients_at_once_are_served_while_it_loads(opened: Opened) -> None:
    browsers = [await opened.browser() for _ in range(100)]
    answers = await asyncio.gather(*(one.get("/sign-in") for one in browsers))
    assert {answer.status for answer in answers} == {200}


async def test_where_there_is_no_console_the_verb_says_how_to_have_one() -> None:
    async def nobody(what: str) -> str:
        raise AssertionError(what)

    with pytest.raises(VerbError, match=r"\[console\] address"):
        off({}, nobody)


def test_the_listener_of_these_tests_is_a_free_port_on_loopback() -> None:
    assert LISTENER.address == "127.0.0.1:0"
