"""Programs that were not written for the sandbox get a token from it and send a message:
Microsoft's msal, azure-identity and msgraph-sdk, and from npm @azure/identity with the Graph
client."""

import asyncio
import importlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
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
    """On the machine's own clock: they use no other."""
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
    """How a program describes a custom cloud to msal."""
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would override the trusted certificates.
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


# --- msgraph-sdk ---------------------------------------------------------------------------------


@pytest.fixture
async def sdk(cloud: Sandbox) -> AsyncIterator[Any]:
    """The client, with a token of its own, below `/v1.0` of the sandbox."""
    credentials: Any = importlib.import_module("azure.identity.aio")
    providers: Any = importlib.import_module(
        "kiota_authentication_azure.azure_identity_authentication_provider"
    )
    adapters: Any = importlib.import_module("msgraph.graph_request_adapter")
    clients: Any = importlib.import_module("msgraph")
    trust = ssl.create_default_context(cafile=cloud.ca_file)
    async with (
        credentials.ClientSecretCredential(
            CONTOSO, CONFIDENTIAL_CLIENT, CLIENT_SECRET, **azure_options(cloud)
        ) as credential,
        httpx.AsyncClient(verify=trust, trust_env=False) as http,
    ):
        provider = providers.AzureIdentityAuthenticationProvider(
            credential, scopes=[DEFAULT], allowed_hosts=["localhost"]
        )
        adapter = adapters.GraphRequestAdapter(provider, http)
        adapter.base_url = f"{cloud.graph_url}/v1.0"
        yield clients.GraphServiceClient(request_adapter=adapter)


def model(name: str, /, **values: Any) -> Any:
    """A model of the SDK; each has a module of its own."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    found: Any = importlib.import_module(f"msgraph.generated.models.{module}")
    return getattr(found, name)(**values)


def sdk_message(subject: str) -> Any:
    alice = model("EmailAddress", address="alice@contoso.com")
    return model(
        "Message",
        subject=subject,
        body=model("ItemBody", content="<p>Grüße</p>"),
        to_recipients=[model("Recipient", email_address=alice)],
    )


def sdk_request(subject: str) -> Any:
    requests_of: Any = importlib.import_module(
        "msgraph.generated.users.item.send_mail.send_mail_post_request_body"
    )
    return requests_of.SendMailPostRequestBody(
        message=sdk_message(subject), save_to_sent_items=False
    )


ITS_OWN = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:(msgraph|kiota_abstractions)\..*")
"""The SDK warns of what it does itself."""


@ITS_OWN
async def test_msgraph_sdk_sends_a_message_and_a_draft(cloud: Sandbox, sdk: Any) -> None:
    box = sdk.users.by_user_id(MAILBOX)
    await box.send_mail.post(sdk_request("sent at once"))
    draft = await box.messages.post(sdk_message("sent as a draft"))
    item = box.messages.by_message_id(draft.id)
    file = model("FileAttachment", name="a.txt", content_type="text/plain", content_bytes=b"Hello")
    await item.attachments.post(file)
    await item.send.post()
    at_once, by_draft = cloud.mailboxes.submitted
    assert (at_once.subject, at_once.saved_to_sent) == ("sent at once", False)
    assert (by_draft.subject, by_draft.received) == ("sent as a draft", ("alice@contoso.com",))
    assert [one.content for one in by_draft.content.attachments] == [b"Hello"]


@ITS_OWN
async def test_msgraph_sdk_reads_what_the_sandbox_refuses(cloud: Sandbox, sdk: Any) -> None:
    errors: Any = importlib.import_module("msgraph.generated.models.o_data_errors.o_data_error")
    with pytest.raises(errors.ODataError) as refused:
        await sdk.users.by_user_id("nobody@contoso.com").send_mail.post(sdk_request("lost"))
    assert refused.value.response_status_code == 404
    assert refused.value.error.code == "ErrorInvalidUser"
    assert cloud.mailboxes.submitted == []


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
