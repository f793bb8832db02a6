"""Programs that know nothing of the sandbox get a token from it and send a message: Microsoft's
msal, azure-identity, and from npm @azure/identity with the Graph client."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    CONTOSO,
    PUBLIC_CLIENT,
)
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.sandbox.visitor import Visitor
from tests.clients.programs import run
from tests.sandbox.entra.client import make_certificate
from tests.tools import needs

msal: Any = importlib.import_module("msal")
azure: Any = importlib.import_module("azure.identity")
DEFAULT = "https://graph.microsoft.com/.default"
SEND = "https://graph.microsoft.com/Mail.Send"
MAILBOX = "info@contoso.com"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    """On the machine's own clock: they ask no other."""
    async with Sandbox() as sandbox:
        sandbox.directory.app(CONFIDENTIAL_CLIENT).roles |= {"Mail.Send", "Mail.ReadWrite"}  # type: ignore[union-attr]
        yield sandbox


async def sent_with(cloud: Sandbox, get_token: Callable[[], str], mailbox: str) -> Mail:
    """Ask for a token as the program does, send as any program would, and see what arrived."""
    letter: Any = {
        "subject": "from a stranger",
        "body": {"contentType": "Text", "content": "Hello"},
        "toRecipients": [{"emailAddress": {"address": "alice@contoso.com"}}],
    }

    def send() -> int:
        answer = requests.post(
            f"{cloud.graph_url}/v1.0/{mailbox}/sendMail",
            json={"message": letter},
            headers={"Authorization": f"Bearer {get_token()}"},
            verify=str(cloud.ca_file),
            timeout=30,
        )
        return answer.status_code

    assert await asyncio.to_thread(send) == 202
    (mail,) = await cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)
    assert mail.head.subject == "from a stranger"
    return mail


# --- msal ----------------------------------------------------------------------------------------


@pytest.fixture
def msal_options(cloud: Sandbox) -> Iterator[dict[str, Any]]:
    """What a program tells msal about a cloud of its own."""
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would override what is trusted.
        session.verify = str(cloud.ca_file)
        yield {
            "authority": f"{cloud.login_url}/{CONTOSO}",
            "instance_discovery": False,
            "http_client": session,
        }


def accept(token: dict[str, Any]) -> str:
    assert "access_token" in token, token
    return str(token["access_token"])


async def test_msal_sends_as_an_application(cloud: Sandbox, msal_options: dict[str, Any]) -> None:
    def get_token() -> str:
        app = msal.ConfidentialClientApplication(
            CONFIDENTIAL_CLIENT, client_credential=CLIENT_SECRET, **msal_options
        )
        return accept(app.acquire_token_for_client([DEFAULT]))

    mail = await sent_with(cloud, get_token, f"users/{MAILBOX}")
    assert mail.mailbox == MAILBOX


async def test_msal_sends_as_a_person(cloud: Sandbox, msal_options: dict[str, Any]) -> None:
    app = await asyncio.to_thread(
        lambda: msal.PublicClientApplication(PUBLIC_CLIENT, **msal_options)
    )
    flow = await asyncio.to_thread(app.initiate_device_flow, [SEND])
    async with Visitor(cloud.ca_file) as visitor:
        await visitor.enter_device_code(
            flow["verification_uri"], flow["user_code"], "wp@contoso.com"
        )

    def get_token() -> str:
        return accept(app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True))

    mail = await sent_with(cloud, get_token, "me")
    assert mail.mailbox == "wp@contoso.com"


# --- azure-identity ------------------------------------------------------------------------------


def azure_options(cloud: Sandbox) -> dict[str, Any]:
    return {
        "authority": cloud.login_url,
        "disable_instance_discovery": True,
        "connection_verify": str(cloud.ca_file),
    }


async def test_azure_identity_sends_with_a_secret(cloud: Sandbox) -> None:
    def get_token() -> str:
        with azure.ClientSecretCredential(
            CONTOSO, CONFIDENTIAL_CLIENT, CLIENT_SECRET, **azure_options(cloud)
        ) as credential:
            return str(credential.get_token(DEFAULT).token)

    assert (await sent_with(cloud, get_token, f"users/{MAILBOX}")).mailbox == MAILBOX


async def test_azure_identity_sends_with_a_certificate(cloud: Sandbox) -> None:
    key, certificate = make_certificate()
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.secrets.clear()
    app.certificates.append(certificate)
    both = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)

    def get_token() -> str:
        with azure.CertificateCredential(
            CONTOSO, CONFIDENTIAL_CLIENT, certificate_data=both, **azure_options(cloud)
        ) as credential:
            return str(credential.get_token(DEFAULT).token)

    assert (await sent_with(cloud, get_token, f"users/{MAILBOX}")).mailbox == MAILBOX


async def test_azure_identity_sends_with_the_machine_s_identity(
    cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.imds_url)

    def get_token() -> str:
        with azure.ManagedIdentityCredential() as credential:
            return str(credential.get_token(DEFAULT).token)

    assert (await sent_with(cloud, get_token, f"users/{MAILBOX}")).mailbox == MAILBOX


# --- From npm ------------------------------------------------------------------------------------


async def test_the_graph_client_sends_a_message_and_a_draft(
    cloud: Sandbox,
) -> None:
    client, identity = needs("graph-client"), needs("azure-identity")
    modules = identity.parents[2]
    assert client.is_relative_to(modules)
    await run(
        needs("node"),
        Path(__file__).with_name("graph_client.cjs"),
        modules,
        CONTOSO,
        CONFIDENTIAL_CLIENT,
        env=os.environ
        | {
            "NODE_EXTRA_CA_CERTS": str(cloud.ca_file),
            "LOGIN_URL": cloud.login_url,
            "GRAPH_URL": cloud.graph_url,
            "CLIENT_SECRET": CLIENT_SECRET,
            "MAILBOX": MAILBOX,
            "RECIPIENT": "alice@contoso.com",
        },
    )
    mails = await cloud.mailboxes.arrived(2)
    assert [mail.head.subject for mail in mails] == ["sent at once", "sent as a draft"]
    assert {mail.mailbox for mail in mails} == {MAILBOX}
    assert {mail.received for mail in mails} == {("alice@contoso.com",)}
