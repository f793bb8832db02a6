"""STARTTLS and AUTH: what was sent before the handshake does not count after it."""

import asyncio
import ipaddress
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from graphrelay.journal import Entry
from graphrelay.smtp.access.listener import LOOPBACK, Limits, Listener
from graphrelay.smtp.access.login import Login
from tests.smtp.conftest import Certificates
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import (
    ENVELOPE,
    Client,
    House,
    serving,
    until,
)

ANOTHER_MACHINE: dict[str, Any] = {
    "proxy_from": LOOPBACK,
    "allow_from": (ipaddress.ip_network("192.0.2.0/24"),),
}


def listener(file: Path, **more: Any) -> Listener:
    return Listener(address="127.0.0.1:0", certificate_file=file, **{"tls": "starttls", **more})


async def encrypted(client: Client, trust: ssl.SSLContext) -> str:
    assert await client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
    await client.start_tls(trust)
    return await client.ask("EHLO again")


async def test_starttls_hides_itself_afterwards_and_the_origin_knows_the_version(
    certificates: Certificates,
) -> None:
    async with serving(listener(certificates.file)) as house, await house.greeted() as client:
        assert "STARTTLS" not in await encrypted(client, certificates.trust)
        client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        client.send(b"x" * 500_000 + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        (message,) = house.reception.received
        assert message.origin.tls == "TLSv1.3"
        assert len(message.octets) == 500_002


async def test_nothing_said_before_the_handshake_counts_after_it(
    certificates: Certificates,
) -> None:
    async with serving(listener(certificates.file)) as house, await house.greeted() as client:
        client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "BDAT 1")
        client.send(b"x")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250"] * 3
        await encrypted(client, certificates.trust)
        assert await client.ask("RCPT TO:<c@d.example>") == "503 5.5.1 MAIL FROM comes first"
        assert house.reception.bodies[0].discarded


async def test_plain_commands_behind_the_handshake_are_never_obeyed(
    certificates: Certificates,
) -> None:
    async with serving(listener(certificates.file)) as house, await house.greeted() as client:
        client.say("STARTTLS")
        assert (await client.reply()).startswith("220")
        client.say("MAIL FROM:<attacker@evil.example>")
        assert b"250" not in await client.reader.read()
        assert house.events("refused")[0].fields["stage"] == "TLS"


async def test_a_password_is_not_accepted_in_clear_from_another_machine(
    certificates: Certificates,
) -> None:
    strict = listener(certificates.file, auth="required", **ANOTHER_MACHINE)
    async with serving(strict) as house, await from_another_machine(house) as client:
        assert "AUTH" not in await client.ask("EHLO x")
        assert (await client.ask("AUTH PLAIN AGEAYg==")).startswith("538 5.7.11")
        assert "AUTH PLAIN LOGIN" in await encrypted(client, certificates.trust)
    lenient = Listener(
        address="127.0.0.1:0", auth="optional", auth_in_clear=True, **ANOTHER_MACHINE
    )
    async with serving(lenient) as house, await from_another_machine(house) as client:
        assert "AUTH PLAIN LOGIN" in await client.ask("EHLO x")


async def from_another_machine(house: House) -> Client:
    """A client behind a proxy that has read the greeting."""
    client = await house.connect()
    client.say("PROXY TCP4 192.0.2.7 127.0.0.1 50000 25")
    assert (await client.reply()).startswith("220")
    return client


async def test_a_failed_handshake_is_a_line_with_a_remedy_and_no_trouble(
    certificates: Certificates,
) -> None:
    async with serving(listener(certificates.file, tls="implicit")) as house:
        with pytest.raises(ssl.SSLCertVerificationError):
            await house.connect(ssl.create_default_context())
        async with await house.connect() as plain:
            plain.say("EHLO x")
            assert await plain.is_closed()
        await until(lambda: _in_clear(house.events("refused")))
        assert house.events("smtp-trouble") == []


def _in_clear(entries: list[Entry]) -> bool:
    return any("spoke in clear" in str(entry.fields.get("remedy")) for entry in entries)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_who_does_not_end_the_handshake_is_sent_away(
    tls: Literal["implicit", "starttls"],
    certificates: Certificates,
) -> None:
    limits = Limits(tls_handshake_timeout=timedelta(milliseconds=50))
    listener = Listener(address="127.0.0.1:0", tls=tls, certificate_file=certificates.file)
    async with serving(listener, limits=limits) as house, await house.connect() as client:
        if tls == "starttls":
            client.say("EHLO slow", "STARTTLS")
            assert [(await client.reply())[:3] for _ in range(3)] == ["220", "250", "220"]
        client.send(b"\x16\x03\x01")  # only the beginning of a ClientHello
        assert await client.is_closed()
        await until(lambda: house.events("refused"))
        assert house.events("refused")[0].fields["stage"] == "TLS"
        await until(lambda: not house.server._connections)


async def test_who_is_gone_before_the_handshake_begins_is_no_trouble(
    certificates: Certificates,
) -> None:
    async with serving(listener(certificates.file, tls="implicit")) as house:
        with socket.create_connection(("127.0.0.1", house.port)) as gone:
            gone.sendall(b"\x16\x03\x01")
        await until(lambda: house.events("refused"))
        await until(lambda: not house.server._connections)
        assert house.events("smtp-trouble") == []


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"], ids=["nothing", "part of a hello"])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_who_is_lost_during_the_handshake_is_forgotten(
    tls: Literal["implicit", "starttls"], said: bytes, certificates: Certificates
) -> None:
    """Health checks of load balancers and port scans end this way: every few seconds, for years."""
    async with serving(listener(certificates.file, tls=tls)) as house, await house.connect() as one:
        if tls == "starttls":
            one.say("EHLO scanner", "STARTTLS")
            assert [(await one.reply())[:3] for _ in range(3)] == ["220", "250", "220"]
        one.send(said)
        await until(lambda: house.server._connections)
        await asyncio.sleep(0)
        one.abort()
        await until(lambda: not house.server._connections)


async def test_no_login_inside_a_transaction() -> None:
    login = Login("scanner", quick_hash("secret"))
    listener = Listener(address="127.0.0.1:0", auth="optional")
    async with serving(listener, logins=(login,)) as house, await house.greeted() as client:
        assert await client.ask(ENVELOPE[0]) == "250 2.1.0 Sender ok"
        assert await client.ask("AUTH PLAIN AHNjYW5uZXIAc2VjcmV0") == (
            "503 5.5.1 Not allowed during a transaction"
        )
