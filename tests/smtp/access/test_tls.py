"""TLS on the wire, and certificates that change while it runs."""

import asyncio
import resource
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.smtp.access.listener import Listener, ListenError
from graphrelay.smtp.access.tls import ListenerCertificate
from tests.clock import FakeClock
from tests.smtp.conftest import Certificates, make_certificates
from tests.smtp.reception import serving


def listener(file: Path, **more: Any) -> Listener:
    return Listener(address="127.0.0.1:0", certificate_file=file, **{"tls": "starttls", **more})


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
    """This process cannot open any more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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
    with pytest.raises(
        ListenError,
        match=r"key\.pem .*not a matching certificate and key in PEM \(KEY_VALUES_MISMATCH\)",
    ):
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
