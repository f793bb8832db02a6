"""Every scenario with every credential: how the cloud is prepared, and the options of `init`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from graphrelay.cli import cli
from graphrelay.clock import Clock
from graphrelay.config import load
from graphrelay.control.verb import Asker, Output
from graphrelay.daemon.relay import running
from graphrelay.daemon.wiring import control_socket, wired
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    PUBLIC_CLIENT,
    App,
    ExchangeRole,
    FederatedCredential,
)
from graphrelay.sandbox.faults import part_of
from tests.control.socket.asking import converse
from tests.world import World, hearing

Prepare = Callable[[Sandbox, Path, pytest.MonkeyPatch], list[str]]
"""Makes the cloud know the credential; gives the options of `init` for it."""


@dataclass(frozen=True)
class Case:
    """One scenario with one credential."""

    scenario: str
    how: str
    prepare: Prepare
    mailbox: str

    def __str__(self) -> str:
        return f"{self.scenario} by {self.how}"


# --- Credentials ---------------------------------------------------------------------------------

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(ends_at: datetime | None = None) -> x509.Certificate:
    """A self-signed certificate of `_KEY`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graphrelay")])
    end = ends_at or datetime.now(UTC) + timedelta(days=365)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=730))
        .not_valid_after(end)
        .sign(_KEY, hashes.SHA256())
    )


def pem_key() -> bytes:
    return _KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private(path: Path, octets: bytes) -> str:
    path.write_bytes(octets)
    path.chmod(0o600)
    return str(path)


def confidential(cloud: Sandbox) -> App:
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    return app


def secret(cloud: Sandbox, folder: Path, _: pytest.MonkeyPatch) -> list[str]:
    file = _private(folder / "app.secret", f"{CLIENT_SECRET}\n".encode())
    return ["--client-id", CONFIDENTIAL_CLIENT, "--client-secret-file", file]


def _certified(cloud: Sandbox, *options: str) -> list[str]:
    confidential(cloud).secrets.clear()
    return ["--client-id", CONFIDENTIAL_CLIENT, *options]


def pem(cloud: Sandbox, folder: Path, _: pytest.MonkeyPatch) -> list[str]:
    own = certificate()
    confidential(cloud).certificates.append(own)
    both = pem_key() + own.public_bytes(serialization.Encoding.PEM)
    return _certified(cloud, "--certificate-file", _private(folder / "app.pem", both))


def two_pems(cloud: Sandbox, folder: Path, _: pytest.MonkeyPatch) -> list[str]:
    own = certificate()
    confidential(cloud).certificates.append(own)
    key = _private(folder / "app.key", pem_key())
    file = _private(folder / "app.crt", own.public_bytes(serialization.Encoding.PEM))
    return _certified(cloud, "--certificate-file", file, "--certificate-key-file", key)


def pfx(cloud: Sandbox, folder: Path, _: pytest.MonkeyPatch) -> list[str]:
    own = certificate()
    confidential(cloud).certificates.append(own)
    locked = serialization.BestAvailableEncryption(b"geheim")
    octets = pkcs12.serialize_key_and_certificates(b"x", _KEY, own, None, locked)
    file, password = folder / "app.pfx", folder / "app.password"
    return _certified(
        cloud,
        *("--certificate-file", _private(file, octets)),
        *("--certificate-password-file", _private(password, b"geheim\n")),
    )


def federated(cloud: Sandbox, folder: Path, _: pytest.MonkeyPatch) -> list[str]:
    public = _KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    issuer, subject = "https://oidc.example", "system:serviceaccount:mail:relay"
    credential = FederatedCredential(issuer=issuer, subject=subject, public_key=public.decode())
    confidential(cloud).federated_credentials.append(credential)
    now = datetime.now(UTC)
    claims = {"iss": issuer, "sub": subject, "aud": credential.audience, "iat": now, "nbf": now}
    token = jwt.encode({**claims, "exp": now + timedelta(hours=1)}, pem_key(), "RS256")
    file = _private(folder / "token.jwt", token.encode())
    return _certified(cloud, "--federated-token-file", file)


def imds(cloud: Sandbox, folder: Path, environment: pytest.MonkeyPatch) -> list[str]:
    """A virtual machine; the variable stands in for 169.254.169.254."""
    environment.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.imds_url)
    return ["--credential", "managed-identity"]


def user_assigned(cloud: Sandbox, folder: Path, environment: pytest.MonkeyPatch) -> list[str]:
    tenant = cloud.directory.tenants[0].id
    second = App(display_name="second", tenant_id=tenant, managed_identity=True)
    second.roles.add("Mail.Send")
    cloud.directory.apps.append(second)
    next(app for app in cloud.directory.apps if app.managed_identity).roles.clear()
    return [*imds(cloud, folder, environment), "--client-id", second.client_id]


def app_service(cloud: Sandbox, folder: Path, environment: pytest.MonkeyPatch) -> list[str]:
    environment.setenv("IDENTITY_ENDPOINT", cloud.identity_endpoint)
    environment.setenv("IDENTITY_HEADER", cloud.identity_header)
    return ["--credential", "managed-identity"]


def scoped(credential: Prepare) -> Prepare:
    """Nothing in Entra, the role in Exchange, and one mailbox in its scope."""

    def prepare(cloud: Sandbox, folder: Path, environment: pytest.MonkeyPatch) -> list[str]:
        options = credential(cloud, folder, environment)
        for app in cloud.directory.apps:
            app.roles.clear()
            if not app.allow_public_client_flows:
                app.exchange_roles.append(
                    ExchangeRole.on("Application Mail.Send", ["info@contoso.com"])
                )
        return options

    return prepare


def nobody(_: Sandbox, _folder: Path, _environment: pytest.MonkeyPatch) -> list[str]:
    """No credential: a person signs in."""
    return ["--client-id", PUBLIC_CLIENT]


PERSONS = [
    Case(scenario, method, nobody, mailbox)
    for scenario, mailbox in (("user", "wp@contoso.com"), ("personal", "me@outlook.com"))
    for method in ("browser", "device", "paste")
]
CREDENTIALS = (secret, pem, two_pems, pfx, federated, imds, user_assigned, app_service)
APPLICATIONS = [
    *(Case("any-user", how.__name__, how, "info@contoso.com") for how in CREDENTIALS),
    *(
        Case("scoped-users", how.__name__, scoped(how), "info@contoso.com")
        for how in (secret, pem, pfx, federated, imds)
    ),
]


# --- From init to a relay that runs --------------------------------------------------------------


def initialized(cloud: Sandbox, folder: Path, case: Case, options: list[str]) -> Path:
    """config.toml, made as an admin would make it."""
    config = folder / "config.toml"
    said = ["--yes", "--scenario", case.scenario, *options]
    said += ["--cloud", "custom", "--login-url", cloud.login_url, "--graph-url", cloud.graph_url]
    said += ["--ca-file", str(cloud.ca_file), "--state-directory", str(folder / "state")]
    said += ["--listener", "127.0.0.1:0"]
    if case.scenario != "personal":
        said += ["--tenant", "contoso.onmicrosoft.com"]
    which = "--username" if case.prepare is nobody else "--mailbox"
    said += [which, case.mailbox]
    shown = CliRunner().invoke(cli, ["--config", str(config), "init", *said])
    assert shown.exit_code == 0, shown.output
    return config


@asynccontextmanager
async def relay_for(
    case: Case,
    folder: Path,
    environment: pytest.MonkeyPatch,
    *more: str,
    clock: Clock | None = None,
    extra: str = "",
) -> AsyncIterator[World]:
    """Prepared, initialized and running; nothing is authorized yet. `extra` is TOML that follows
    what `init` wrote."""
    _alone(environment)
    async with Sandbox(now=clock.now if clock else None) as cloud:
        options = [*case.prepare(cloud, folder, environment), *more]
        config = initialized(cloud, folder, case, options)
        config.write_text(config.read_text("utf-8") + extra, encoding="utf-8")
        hear, entries, told = hearing()
        async with running(wired(load(config)), clock, hear) as relay:
            yield World(cloud, relay, config, entries, told)


def _alone(environment: pytest.MonkeyPatch) -> None:
    """Hides the desktop, Azure and systemd of the machine that the tests run on."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "CREDENTIALS_DIRECTORY", *_AZURE):
        environment.delenv(name, raising=False)


_AZURE = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET")


async def asked(
    here: World, verb: str, ask: Asker | None = None, **arguments: Any
) -> AsyncIterator[Output]:
    """A verb of the running relay, over its control socket as the command line asks it."""

    async def nobody(what: str) -> str:
        raise AssertionError(f"asked for {what}")

    path = control_socket(load(here.config))
    async for event in converse(path, verb, {"account": "website", **arguments}, ask or nobody):
        yield event


def asked_with(cloud: Sandbox) -> set[str]:
    """How tokens were requested: grant types, and paths for managed identities."""
    imds = (request.path for request in cloud.requests if part_of(request.path) == "imds")
    return {*cloud.grant_types, *imds}
