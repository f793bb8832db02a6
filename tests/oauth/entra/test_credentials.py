"""Credentials: read at each use, tested end to end, and named when they cannot be read."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from graphrelay.oauth.answers import EntraUnreachable, Granted, TokenRefused
from graphrelay.oauth.cloud import GLOBAL
from graphrelay.oauth.entra.key_pair import load_key_pair
from graphrelay.oauth.entra.msal_client import Entra
from graphrelay.oauth.entra.secret_files import CredentialProblem, read_secret, read_token
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    ScopedUsers,
    SecretFile,
    SecretText,
)
from graphrelay.oauth.sign_in.authorizer import Stored
from graphrelay.oauth.tokens.status import Lacking
from graphrelay.sandbox.directory import FederatedCredential
from graphrelay.sandbox.faults import Answer, Compressed, Endless, Fault
from graphrelay.sandbox.imds import CachedIdentity
from tests.clock import FakeClock
from tests.oauth.conftest import DAEMON, World

A_DAY_AND_MORE = timedelta(hours=30)
PASSPHRASE = SecretText("geheim")


def key_pair(days: int = 365) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key, self_signed(key, days)


def self_signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graphrelay")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


KEY, CERTIFICATE = key_pair()
OTHER_KEY, OTHER_CERTIFICATE = key_pair()


def pem_key(key: rsa.RSAPrivateKey, passphrase: bytes = b"") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def pfx(passphrase: bytes = b"") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return pkcs12.serialize_key_and_certificates(b"x", KEY, CERTIFICATE, None, encryption)


def one_pem(folder: Path) -> Certificate:
    (folder / "app.pem").write_bytes(pem_key(KEY) + pem(CERTIFICATE))
    return Certificate(folder / "app.pem")


def chain_pem(folder: Path) -> Certificate:
    """An issuer's certificate may come first: the one that matches the key is used."""
    (folder / "app.pem").write_bytes(pem(OTHER_CERTIFICATE) + pem(CERTIFICATE) + pem_key(KEY))
    return Certificate(folder / "app.pem")


def two_pems(folder: Path) -> Certificate:
    (folder / "app.crt").write_bytes(pem(CERTIFICATE))
    (folder / "app.key").write_bytes(pem_key(KEY))
    return Certificate(folder / "app.crt", folder / "app.key")


def locked_pem(folder: Path) -> Certificate:
    (folder / "app.pem").write_bytes(pem_key(KEY, b"geheim") + pem(CERTIFICATE))
    return Certificate(folder / "app.pem", passphrase=PASSPHRASE)


def open_pfx(folder: Path) -> Certificate:
    (folder / "app.pfx").write_bytes(pfx())
    return Certificate(folder / "app.pfx")


def locked_pfx(folder: Path) -> Certificate:
    (folder / "app.pfx").write_bytes(pfx(b"geheim"))
    (folder / "passphrase").write_text("geheim\n")
    return Certificate(folder / "app.pfx", passphrase=SecretFile(folder / "passphrase"))


FORMS = [one_pem, chain_pem, two_pems, locked_pem, open_pfx, locked_pfx]


def account_with(credential: Credential, scoped: bool = False) -> Account:
    scenario = ScopedUsers(credential) if scoped else AnyUser(credential)
    return replace(DAEMON, scenario=scenario)


def trust(world: World, *certificates: x509.Certificate) -> None:
    app = world.cloud.directory.app(DAEMON.client_id)
    assert app is not None
    app.certificates = list(certificates)
    app.secrets = []


# --- Certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scoped", [False, True])
async def test_a_certificate_in_any_form_gets_a_token(
    world: World, tmp_path: Path, form: Callable[[Path], Certificate], scoped: bool
) -> None:
    trust(world, CERTIFICATE)
    account = account_with(form(tmp_path), scoped)
    manager = world.manager(account)
    assert isinstance(await world.authorize(manager, account), Stored)
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await manager.token("daemon"), Granted)


@pytest.mark.parametrize("form", FORMS)
def test_the_certificate_of_the_key_is_found(
    tmp_path: Path, form: Callable[[Path], Certificate]
) -> None:
    pair = load_key_pair(form(tmp_path))
    assert pair.certificate == CERTIFICATE
    assert pair.ends_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert "PrivateKey" not in repr(pair)


async def test_a_certificate_that_is_not_registered_says_where_to_upload_it(
    world: World, tmp_path: Path
) -> None:
    trust(world, OTHER_CERTIFICATE)
    account = account_with(one_pem(tmp_path))
    result = await world.authorize(world.manager(account), account)
    assert isinstance(result, TokenRefused)
    assert result.kind == "certificate-unknown"
    assert "Certificates & secrets" in result.remedy


async def test_a_renewed_certificate_is_used_without_a_restart(
    world: World, tmp_path: Path
) -> None:
    trust(world, CERTIFICATE)
    account = account_with(one_pem(tmp_path))
    manager = world.manager(account)
    await world.authorize(manager, account)
    trust(world, OTHER_CERTIFICATE)
    (tmp_path / "app.pem").write_bytes(pem_key(OTHER_KEY) + pem(OTHER_CERTIFICATE))
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await manager.token("daemon"), Granted)


def _nothing(folder: Path) -> Certificate:
    return Certificate(folder / "absent.pem")


def _garbage(folder: Path) -> Certificate:
    (folder / "x").write_bytes(b"\x00\x01 garbage")
    return Certificate(folder / "x")


def _no_key(folder: Path) -> Certificate:
    (folder / "x").write_bytes(pem(CERTIFICATE))
    return Certificate(folder / "x")


def _no_certificate(folder: Path) -> Certificate:
    (folder / "x").write_bytes(pem_key(KEY))
    return Certificate(folder / "x")


def _wrong_key(folder: Path) -> Certificate:
    (folder / "x").write_bytes(pem_key(OTHER_KEY) + pem(CERTIFICATE))
    return Certificate(folder / "x")


def _wrong_passphrase(folder: Path) -> Certificate:
    return replace(locked_pfx(folder), passphrase=SecretText("falsch"))


def _missing_passphrase(folder: Path) -> Certificate:
    return replace(locked_pem(folder), passphrase=None)


def _needless_passphrase(folder: Path) -> Certificate:
    return replace(one_pem(folder), passphrase=PASSPHRASE)


def _elliptic(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    octets = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "x").write_bytes(octets + pem(self_signed(key, 30)))
    return Certificate(folder / "x")


def _unknown_curve(folder: Path) -> Certificate:
    """SM2, for which the library raises a separate exception; it once crashed the daemon."""
    octets = one_pem(folder).path.read_bytes()
    key = (
        "MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQg/XgOXtipTyd7SSns"
        "9CmatGwVMxCCHJO9spHpXAhQuPuhRANCAAS7ASztbJ0dwzlWUqhAetMu6dsTjjmv"
        "jo1SMXc/2qjM56KYl9hdZTZDAaoM3+hl2KcvvM8V0rBofxSoJkjaJ2ih"
    )
    written = f"-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"
    (folder / "x").write_bytes(written.encode() + octets)
    return Certificate(folder / "x")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (_nothing, "No such file"),
        (_garbage, "PEM or PFX"),
        (_no_key, "PEM or PFX"),
        (_no_certificate, "PEM or PFX"),
        (_wrong_key, "belongs to another certificate"),
        (_wrong_passphrase, "passphrase"),
        (_missing_passphrase, "passphrase"),
        (_needless_passphrase, "passphrase"),
        (_elliptic, "not RSA"),
        (_unknown_curve, "not supported"),
    ],
)
async def test_a_certificate_that_cannot_be_used_says_why(
    world: World, tmp_path: Path, form: Callable[[Path], Certificate], says: str
) -> None:
    account = account_with(form(tmp_path))
    result = await world.authorize(world.manager(account), account)
    assert isinstance(result, TokenRefused)
    assert result.kind == "credential-unreadable"
    assert says in result.description
    assert result.remedy
    assert "geheim" not in repr(result) + repr(account)
    with pytest.raises(CredentialProblem):
        load_key_pair(form(tmp_path))


# --- Secrets -------------------------------------------------------------------------------------


def test_a_secret_comes_without_the_line_end_of_an_editor(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("s3cret~\r\n")
    assert read_secret(SecretFile(tmp_path / "s")) == "s3cret~"
    assert read_secret(SecretText(" s3cret~ ")) == "s3cret~"


@pytest.mark.parametrize("octets", [b"", b" \n"])
def test_an_empty_secret_is_named(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "s").write_bytes(octets)
    with pytest.raises(CredentialProblem, match="empty"):
        read_secret(SecretFile(tmp_path / "s"))


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialProblem, match="Is a directory"):
        read_secret(SecretFile(tmp_path))


async def test_a_secret_file_that_vanished_stops_nothing_while_the_token_lasts(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "s").write_text("sandbox~secret.value")
    account = account_with(ClientSecret(SecretFile(tmp_path / "s")))
    manager = world.manager(account)
    await world.authorize(manager, account)
    token = await manager.token("daemon")
    assert isinstance(token, Granted)
    (tmp_path / "s").unlink()
    await world.clock.advance(token.expires_at - world.clock.now() - timedelta(minutes=3))
    assert await manager.token("daemon") == token
    await world.clock.advance(timedelta(minutes=5))
    refused = await manager.token("daemon")
    assert isinstance(refused, TokenRefused)
    assert "cannot be read" in refused.description


# --- Federated tokens ----------------------------------------------------------------------------


def federate(world: World) -> None:
    app = world.cloud.directory.app(DAEMON.client_id)
    assert app is not None
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    credential = FederatedCredential(
        issuer="https://kubernetes", subject="system:relay", public_key=public.decode()
    )
    app.federated_credentials, app.secrets = [credential], []


def issue(file: Path, now: datetime, subject: str = "system:relay") -> None:
    claims = {
        "iss": "https://kubernetes",
        "sub": subject,
        "aud": "api://AzureADTokenExchange",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    file.write_text(jwt.encode(claims, KEY, "RS256") + "\n")


async def test_a_federated_token_is_read_at_each_use(world: World, tmp_path: Path) -> None:
    federate(world)
    file = tmp_path / "token"
    issue(file, world.clock.now())
    account = account_with(FederatedToken(file))
    manager = world.manager(account)
    assert isinstance(await world.authorize(manager, account), Stored)
    await world.clock.advance(A_DAY_AND_MORE)
    stale = await manager.token("daemon")
    assert isinstance(stale, TokenRefused)
    assert stale.kind == "clock"
    issue(file, world.clock.now())
    assert isinstance(await manager.token("daemon"), Granted)


async def test_a_federated_token_of_another_issuer_says_what_to_compare(
    world: World, tmp_path: Path
) -> None:
    federate(world)
    issue(tmp_path / "token", world.clock.now(), subject="system:stranger")
    account = account_with(FederatedToken(tmp_path / "token"))
    result = await world.authorize(world.manager(account), account)
    assert isinstance(result, TokenRefused)
    assert result.kind == "federation"
    assert "subject" in result.remedy


@pytest.mark.parametrize("text", ["", "not a token", "a.b"])
def test_what_is_not_a_jwt_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(CredentialProblem, match="does not hold a JWT"):
        read_token(tmp_path / "token")


# --- Managed identities --------------------------------------------------------------------------

MACHINE = Account("vm", "", "", AnyUser(ManagedIdentity()), ("*@contoso.com",))


@pytest.fixture
def clock() -> FakeClock:
    """App Service names the moment when a token ends, and msal compares it with this machine's
    time, so the tests of this file begin now."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


def imds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.cloud.imds_url)


async def test_a_machines_own_identity_gets_a_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    imds(world, monkeypatch)
    manager = world.manager(MACHINE)
    stored = await world.authorize(manager, MACHINE)
    assert isinstance(stored, Stored), stored
    assert stored.who == "managed identity"
    token = await manager.token("vm")
    assert isinstance(token, Granted)
    assert token.scopes == ("Mail.Send",)
    assert token.expires_at - world.clock.now() > timedelta(hours=23)
    assert (await manager.status("vm")).is_well


async def test_a_user_assigned_identity_is_named_by_its_client_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    imds(world, monkeypatch)
    (machine,) = [app for app in world.cloud.directory.apps if app.managed_identity]
    named = replace(MACHINE, scenario=AnyUser(ManagedIdentity(machine.client_id)))
    assert isinstance(await world.authorize(world.manager(named), named), Stored)
    other = replace(MACHINE, scenario=AnyUser(ManagedIdentity("no-such-identity")))
    result = await world.authorize(world.manager(other), other)
    assert isinstance(result, TokenRefused)
    assert "Identity not found" in result.description


@pytest.mark.parametrize("cached", [False, True])
async def test_status_says_when_azure_issued_the_token_that_lacks_something(
    world: World, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    imds(world, monkeypatch)
    if cached:
        world.cloud.faults.on(CachedIdentity())
    (machine,) = [app for app in world.cloud.directory.apps if app.managed_identity]
    granted, machine.roles = machine.roles, set()
    manager, start = world.manager(MACHINE), world.clock.now()
    await world.authorize(manager, MACHINE)
    machine.roles = granted
    await world.clock.advance(timedelta(hours=2))
    status = await manager.status("vm")
    assert status.evidence is not None
    assert status.is_well is not cached
    assert status.evidence.issued_at == (start if cached else world.clock.now())
    if isinstance(status.verdict, Lacking):
        assert status.verdict.missing == ("Mail.Send",)
        assert "for up to 24 hours" in status.verdict.remedy
    await world.clock.advance(timedelta(hours=23))
    status = await manager.status("vm")
    assert status.is_well
    assert status.evidence is not None
    assert status.evidence.issued_at == world.clock.now()


async def test_app_service_gives_a_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", world.cloud.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", world.cloud.identity_header)
    manager = world.manager(MACHINE)
    stored = await world.authorize(manager, MACHINE)
    assert isinstance(stored, Stored), stored
    token = await manager.token("vm")
    assert isinstance(token, Granted)
    assert token.expires_at - world.clock.now() > timedelta(hours=23)


@pytest.mark.parametrize(
    "fault", [Endless(what="body"), Endless(what="octets", seconds=0.01), Compressed()], ids=str
)
async def test_an_answer_of_the_metadata_service_has_an_end(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    imds(world, monkeypatch)
    world.cloud.faults.on(fault)
    http = replace(world.http(), overall_timeout=timedelta(seconds=1))
    async with asyncio.timeout(10):
        result = await world.authorize(world.manager(MACHINE, http=http), MACHINE)
    assert isinstance(result, EntraUnreachable)


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
async def test_a_metadata_service_that_is_updated_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    imds(world, monkeypatch)
    world.cloud.faults.on(Answer(status=status, body='{"error":"x"}', part="imds", times=1))
    manager = world.manager(MACHINE)
    assert isinstance(await world.authorize(manager, MACHINE), EntraUnreachable)
    assert isinstance(await world.authorize(manager, MACHINE), Stored)


async def test_a_managed_identity_never_goes_through_the_proxy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    imds(world, monkeypatch)
    http = replace(world.http(), proxy="http://127.0.0.1:1")
    entra = Entra(MACHINE, GLOBAL, http, world.clock)
    resource = world.cloud.graph_url
    answer = await asyncio.to_thread(
        entra.ask, lambda app: app.acquire_token_for_client(resource=resource)
    )
    entra.close()
    assert not isinstance(answer, TokenRefused | EntraUnreachable), answer
