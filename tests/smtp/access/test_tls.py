"""TLS on the wire, and certificates that change while it runs."""

import asyncio
import ipaddress
import resource
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.smtp import LOOPBACK, Limits, Listener, ListenError
from graphrelay.smtp.access.tls import ListenerCertificate
from tests.clock import FakeClock
from tests.smtp.conftest import Certificates, make_certificates
from tests.smtp.reception import Client, House, serving, until


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


def test_a_certificate_that_could_not_be_read_for_a_moment_is_read_later(tmp_path: Path) -> None:
    made, entries = make_certificates(tmp_path), list[Entry]()
    certificate = ListenerCertificate(listener(made.file), Journal(FakeClock(), entries.append))
    before = certificate.context()
    made.renew()
    with no_descriptors():
        during = [certificate.context() for _ in range(3)]
    assert all(one is before for one in during)
    assert certificate.context() is not before
    events = [entry.event for entry in entries]
    assert events == ["certificate-not-reloaded", "certificate-reloaded"]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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


ANOTHER_MACHINE: dict[str, Any] = {
    "proxy_from": LOOPBACK,
    "allow_from": (ipaddress.ip_network("192.0.2.0/24"),),
}


async def from_another_machine(house: House) -> Client:
    """A client that has heard the greeting, behind a proxy."""
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
    return any("spoke in clear" in str(entry.fields["remedy"]) for entry in entries)


@pytest.mark.parametrize(("minimum", "served"), [("1.2", True), ("1.3", False)])
async def test_the_minimum_version_holds(
    certificates: Certificates, minimum: str, served: bool
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificates.authority.configure_trust(old)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(listener(certificates.file, tls="implicit", tls_minimum=minimum)) as house:
        if served:
            async with await house.connect(old) as client:
                assert (await client.reply()).startswith("220")
        else:
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await house.connect(old)


async def test_tls_1_0_is_spoken_only_where_the_admin_says_so(certificates: Certificates) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificates.authority.configure_trust(old)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    copier = listener(certificates.file, tls="implicit", tls_minimum="1.0")
    async with serving(copier) as house, await house.connect(old) as client:
        assert (await client.reply()).startswith("220")
    async with serving(listener(certificates.file, tls="implicit")) as house:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await house.connect(old)


# --- Certificates ---------------------------------------------------------------------------------


async def serial(port: int, trust: ssl.SSLContext) -> int:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return int(certificate["serialNumber"], 16)


async def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    own = make_certificates(tmp_path)
    async with serving(listener(own.file, tls="implicit")) as house:
        first = await serial(house.port, own.trust)
        assert await serial(house.port, own.trust) == first
        own.renew()
        assert await serial(house.port, own.trust) != first
        assert len(house.events("certificate-reloaded")) == 1


def test_a_broken_renewal_keeps_the_old_certificate_and_says_so_once(tmp_path: Path) -> None:
    own = make_certificates(tmp_path)
    entries: list[Entry] = []
    certificate = ListenerCertificate(listener(own.file), Journal(FakeClock(), entries.append))
    before = certificate.context()
    own.file.write_text("half a certi")
    assert certificate.context() is before
    assert certificate.context() is before
    (entry,) = entries
    assert entry.level == "error"
    assert str(own.file) in str(entry.fields["reason"])
    own.file.unlink()
    assert certificate.context() is before
    own.renew()
    assert certificate.context() is not before


def test_what_is_wrong_with_a_certificate_is_said_in_a_sentence(tmp_path: Path) -> None:
    own, other = make_certificates(tmp_path), tmp_path / "other"
    other.mkdir()
    key = tmp_path / "key.pem"
    make_certificates(other).authority.issue_cert("localhost").private_key_pem.write_to_path(
        str(key)
    )
    journal = Journal(FakeClock())
    with pytest.raises(ListenError, match=r"key\.pem .*belong together \(KEY_VALUES_MISMATCH\)"):
        ListenerCertificate(listener(own.file, key_file=key), journal)
    with pytest.raises(ListenError, match=r"cannot read .*none\.pem: No such file"):
        ListenerCertificate(listener(own.file, key_file=tmp_path / "none.pem"), journal)
    with pytest.raises(ListenError, match="needs a certificate_file"):
        ListenerCertificate(Listener(address="127.0.0.1:0", tls="starttls"), journal)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    key = tmp_path / "key.pem"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
    )
    own = make_certificates(tmp_path)
    with pytest.raises(ListenError, match="the key is encrypted"):
        ListenerCertificate(listener(own.file, key_file=key), Journal(FakeClock()))


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
        client.send(b"\x16\x03\x01")  # the beginning of a hello, and no more
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
    """Checks of load balancers end so, and scans of ports: every few seconds, for years."""
    async with serving(listener(certificates.file, tls=tls)) as house, await house.connect() as one:
        if tls == "starttls":
            one.say("EHLO scanner", "STARTTLS")
            assert [(await one.reply())[:3] for _ in range(3)] == ["220", "250", "220"]
        one.send(said)
        await until(lambda: house.server._connections)
        await asyncio.sleep(0)
        one.abort()
        await until(lambda: not house.server._connections)
