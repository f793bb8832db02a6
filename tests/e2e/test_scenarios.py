"""Each scenario with each credential, from `graphrelay init` to a message in a mailbox."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from graphrelay.control.verb import Output
from graphrelay.sandbox.visitor import Visitor
from tests.e2e.scenarios import APPLICATIONS, PERSONS, Case, asked, asked_with, relay_for
from tests.oauth.test_proxy import Proxy, proxy
from tests.world import World

__all__ = ["proxy"]

GRANT_OF = {
    "browser": "authorization_code",
    "paste": "authorization_code",
    "device": "urn:ietf:params:oauth:grant-type:device_code",
}

MACHINE = {
    "imds": "/metadata/identity/oauth2/token",
    "user_assigned": "/metadata/identity/oauth2/token",
    "app_service": "/msi/token",
}


async def signed_in(here: World, method: str, who: str) -> list[Output]:
    """The output of `authorize` while its instructions are followed."""
    events: list[Output] = []
    landed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def paste(what: str) -> str:
        return await landed

    async with Visitor(here.cloud.ca_file) as visitor, asyncio.TaskGroup() as person:
        async for event in asked(here, "authorize", paste, method=method, by="root"):
            events.append(event)
            match event["kind"]:
                case "open":
                    person.create_task(visitor.sign_in(event["url"], who, follow=True))
                case "open-elsewhere":
                    landed.set_result(await visitor.sign_in(event["url"], who))
                case "device":
                    person.create_task(visitor.enter_device_code(event["url"], event["code"], who))
    return events


async def one_message(here: World, sender: str) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", here.port, timeout=30) as client:
            text = f"From: <{sender}>\r\nTo: alice@contoso.com\r\nSubject: Hello\r\n\r\nHi.\r\n"
            assert client.sendmail(sender, ["alice@contoso.com"], text) == {}

    await asyncio.to_thread(send)
    (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)
    assert mail.mailbox == sender
    assert b"Subject: Hello" in mail.raw


async def status(here: World) -> Output:
    (only,) = [event async for event in asked(here, "status")]
    return only


@pytest.mark.parametrize("case", PERSONS, ids=str)
async def test_a_person_signs_in_and_mail_goes_out(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(case, tmp_path, monkeypatch) as here:
        first, *_, last = await signed_in(here, case.how, case.mailbox)
        assert [one["name"] for one in first["permissions"]] == ["Mail.Send", "offline_access"]
        assert (last["kind"], last["who"]) == ("authorized", case.mailbox)
        found = await status(here)
        assert (found["well"], found["missing"], found["superfluous"]) == (True, [], [])
        await one_message(here, case.mailbox)
        assert asked_with(here.cloud) == {GRANT_OF[case.how], "refresh_token"}


@pytest.mark.parametrize("case", APPLICATIONS, ids=str)
async def test_an_application_proves_itself_and_mail_goes_out(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(case, tmp_path, monkeypatch) as here:
        first, last = [event async for event in asked(here, "authorize", by="root")]
        assert "Anyone with this application's credential" in first["risk"]
        assert last["kind"] == "authorized", last
        assert (await status(here))["status"] == "Authorized"
        await one_message(here, case.mailbox)
        only = MACHINE.get(case.how, "client_credentials")
        assert asked_with(here.cloud) == {only}


async def test_entra_and_graph_are_reached_through_the_same_proxy_and_by_the_same_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    """With a contradicting environment."""
    monkeypatch.setenv("GRAPHRELAY_CLOUD__PROXY", proxy.url)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    case = next(case for case in APPLICATIONS if str(case) == "any-user by secret")
    async with relay_for(case, tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")][-1]["who"]
        of_entra = len(proxy.tunnels)
        assert of_entra == len(here.cloud.requests) > 0
        await one_message(here, case.mailbox)
        assert len(proxy.tunnels) == of_entra + 1, "one connection to Graph, through the proxy"
