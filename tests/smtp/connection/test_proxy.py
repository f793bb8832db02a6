"""The PROXY protocol: for which client a load balancer connects."""

import ipaddress
import socket
import ssl
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from graphrelay.smtp.access.listener import Listener
from tests.smtp.conftest import Certificates
from tests.smtp.reception import serving

BALANCER = (ipaddress.ip_network("127.0.0.1/32"),)
CLIENTS = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/64"))
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def listener(**more: Path | str) -> Listener:
    return Listener(
        address="127.0.0.1:0",
        proxy_from=BALANCER,
        allow_from=CLIENTS,
        **more,  # type: ignore[arg-type]
    )


def version_2(client: str, command: int = 0x21) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 9, 25)
    return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(addresses)) + addresses


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 50000 25\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 50000 25\r\n", "192.0.2.7"),
        (version_2("192.0.2.8"), "192.0.2.8"),
    ],
    ids=["version 1", "version 1 IPv6", "IPv4 in IPv6", "version 2"],
)
async def test_the_client_is_the_one_that_the_proxy_names(header: bytes, client: str) -> None:
    async with serving(listener()) as house, await house.connect() as proxy:
        proxy.send(header)
        proxy.say("HELO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", "x", ".")
        replies = [await proxy.reply() for _ in range(6)]
        assert replies[-1] == "250 2.0.0 Ok: queued as Q1"
        assert house.reception.received[0].origin.client == client


async def test_the_rules_hold_for_the_client_behind_the_proxy() -> None:
    async with serving(listener()) as house, await house.connect() as proxy:
        proxy.send(b"PROXY TCP4 198.51.100.1 127.0.0.1 50000 25\r\n")
        assert (await proxy.reply()).startswith("554 5.7.1 198.51.100.1 may not")


async def test_who_has_no_address_counts_as_the_proxy_itself() -> None:
    sockets = b"/run/client".ljust(108, b"\0") + b"/run/proxy".ljust(108, b"\0")
    async with serving(listener()) as house, await house.connect() as proxy:
        proxy.send(SIGNATURE + b"\x21\x31" + struct.pack("!H", len(sockets)) + sockets)
        assert (await proxy.reply()).startswith("554 5.7.1 127.0.0.1 may not")
        assert house.events("smtp-trouble") == []


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client\r\n",
        b"PROXY TCP4 nonsense 127.0.0.1 1 2\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\xff\xff\x00\x00",
        version_2("192.0.2.8")[:20],
    ],
    ids=["none", "no address", "too long", "version", "cut off"],
)
async def test_a_proxy_without_a_proper_header_is_not_served(header: bytes) -> None:
    async with serving(listener()) as house, await house.connect() as proxy:
        proxy.send(header)
        proxy.writer.write_eof()
        assert await proxy.is_closed()
        (entry,) = house.events("refused")
        assert entry.fields["reply"] == "no PROXY header from a proxy"
        assert house.events("smtp-trouble") == []


async def test_who_is_no_proxy_cannot_pretend_to_be_somebody_else() -> None:
    async with serving() as house, await house.connect() as client:
        client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 25\r\n")
        assert (await client.reply()).startswith("220")
        assert (await client.reply()).startswith("500 5.5.1")


async def test_a_health_check_of_the_proxy_is_judged_by_its_own_address() -> None:
    async with serving(listener()) as house, await house.connect() as proxy:
        proxy.send(version_2("192.0.2.8", command=0x20))
        assert (await proxy.reply()).startswith("554 5.7.1 127.0.0.1 may not")


async def test_tls_begins_behind_the_header_even_in_one_packet(certificates: Certificates) -> None:
    """The hello has come before the TLS layer is in place, as uvloop does it without a proxy."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificates.trust.wrap_bio(incoming, outgoing, server_hostname="localhost")
    inside = listener(tls="implicit", certificate_file=certificates.file)
    async with serving(inside) as house, await house.connect() as proxy:
        proxy.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 25\r\n" + hello(tls, outgoing))
        while not hello_is_answered(tls):
            incoming.write(await proxy.reader.read(65_536))
        proxy.send(outgoing.read())
        greeting = b""
        while not greeting.endswith(b"\r\n"):
            incoming.write(await proxy.reader.read(65_536))
            with suppress(ssl.SSLWantReadError):
                greeting += tls.read()
        assert greeting.startswith(b"220 relay.example")


def hello(tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> bytes:
    assert not hello_is_answered(tls)
    return outgoing.read()


def hello_is_answered(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
