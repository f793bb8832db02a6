"""`graphrelay status`: texts, checks and exit codes, as seen in a shell."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from graphrelay.daemon.relay import running
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, ExchangeRole, User
from graphrelay.sandbox.faults import Answer
from tests.clock import FakeClock
from tests.e2e.commands import Ended, graphrelay
from tests.e2e.scenarios import (
    APPLICATIONS,
    PERSONS,
    Case,
    asked,
    certificate,
    confidential,
    pem_key,
    relay_for,
)
from tests.world import World, found_in


def case(name: str) -> Case:
    return next(one for one in [*PERSONS, *APPLICATIONS] if str(one) == name)


SCOPED, ANY, USER = case("scoped-users by secret"), case("any-user by secret"), PERSONS[0]


@asynccontextmanager
async def authorized(
    one: Case,
    folder: Path,
    environment: pytest.MonkeyPatch,
    *options: str,
    clock: FakeClock | None = None,
    extra: str = "",
) -> AsyncIterator[World]:
    async with relay_for(one, folder, environment, *options, clock=clock, extra=extra) as here:
        *_, last = [event async for event in asked(here, "authorize", by="root")]
        assert last["kind"] == "authorized", last
        yield here


async def status(here: World, *arguments: str) -> Ended:
    return await graphrelay(here.config, "status", *arguments)


# --- Texts and exit codes ------------------------------------------------------------------------


async def test_all_is_well_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as here:
        shown = await status(here)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out.startswith("Authorized  website (any-user)")
        assert "granted     Mail.Send" in shown.out
        event, relay = (await status(here, "--json")).events
        assert relay["running"]
        assert (event["kind"], event["status"], event["well"]) == ("status", "Authorized", True)


async def test_what_is_not_well_ends_with_one_and_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(USER, tmp_path, monkeypatch) as here:
        shown = await status(here)
        assert shown.code == 1
        assert shown.out.startswith("Unauthorized  website (user)")
        assert "what to do  Run: graphrelay authorize website" in shown.out


async def test_without_the_relay_status_ends_with_one_and_says_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as here:
        running = await status(here)
        assert "The relay is running." in running.out
        monkeypatch.setenv("GRAPHRELAY_STATE_DIRECTORY", str(tmp_path / "another"))
        monkeypatch.setenv("GRAPHRELAY_CONTROL__SOCKET", str(tmp_path / "nothing"))
        shown = await status(here)
    assert shown.code == 1
    assert shown.out.startswith("Authorized  website (any-user)")
    assert "The relay is not running" in shown.out
    assert f"what to do  Run: graphrelay --config {here.config} serve" in shown.out


async def test_a_refusal_shows_microsoft_s_words_and_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as here:
        confidential(here.cloud).secrets[0].expires_at = datetime(2020, 1, 1, tzinfo=UTC)
        shown = await status(here, "website")
        assert shown.code == 1
        assert shown.out.startswith("Refused")
        assert "AADSTS7000222" in shown.out
        assert "error       invalid_client" in shown.out
        assert "The client secret has expired. Create a new one" in shown.out


async def test_a_scope_that_entra_overrides_is_too_broad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        confidential(here.cloud).roles.add("Mail.Send")
        shown = await status(here)
        assert shown.code == 1
        assert shown.out.startswith("Too broad")
        assert "Remove Mail.Send from application" in shown.out


async def test_without_an_account_status_ends_with_one_and_says_what_to_run(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    listener = '[[smtp.listeners]]\naddress = "127.0.0.1:0"\n[console]\naddress = "off"\n'
    config.write_text(f'state_directory = "{tmp_path / "state"}"\n{listener}', "utf-8")
    async with running(found_in(config).settings):
        shown = await graphrelay(config, "status")
        assert shown.code == 1
        assert "no account is configured, so every message is refused for now (450)" in shown.out
        assert "console   and set up an account there" in shown.out
        missing, relay = (await graphrelay(config, "status", "--json")).events
        assert (missing["kind"], missing["well"], relay["well"]) == ("no-account", False, True)


async def test_an_account_that_is_not_there_is_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(USER, tmp_path, monkeypatch) as here:
        shown = await status(here, "webseite")
        assert shown.code == 1
        assert "only website" in shown.err


# --- Credentials that end ------------------------------------------------------------------------


async def test_a_certificate_that_ends_soon_is_warned_about_and_well_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(case("any-user by pem"), tmp_path, monkeypatch) as here:
        assert "soon" not in (await status(here)).out
        short = certificate(datetime.now(UTC) + timedelta(days=12, hours=1))
        confidential(here.cloud).certificates.append(short)
        both = pem_key() + short.public_bytes(serialization.Encoding.PEM)
        (tmp_path / "app.pem").write_bytes(both)
        shown = await status(here)
        assert shown.code == 0
        assert "soon        The certificate of account 'website' expires in 12 days" in shown.out
        event, _ = (await status(here, "--json")).events
        assert event["warning"]
        assert event["credential_ends_at"]


async def test_the_log_warns_daily_of_a_secret_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(datetime(2026, 11, 23, 12, tzinfo=UTC))
    options = ["--client-secret-expires", "2026-12-01"]
    async with authorized(ANY, tmp_path, monkeypatch, *options, clock=clock) as here:
        first = await here.event("credential-ends")
        assert "expires in 7 days (2026-12-01)" in str(first.fields["reason"])
        while len(here.events("credential-ends")) < 2:
            await clock.advance(timedelta(minutes=30))
        second = here.events("credential-ends")[1]
        assert timedelta(days=1) <= second.at - first.at < timedelta(days=2)


# --- A message -----------------------------------------------------------------------------------


async def test_a_probe_is_a_real_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        shown = await status(here, "website", "--probe", "you@example.org")
        assert shown.code == 0, shown
        assert "message     relayed: Microsoft accepted the message" in shown.out
        (mail,) = here.cloud.mailboxes.submitted
        assert (mail.mailbox, mail.received) == ("info@contoso.com", ("you@example.org",))


async def test_a_probe_that_does_not_arrive_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        confidential(here.cloud).exchange_roles.clear()  # Exchange has not acted yet.
        shown = await status(here, "--json", "--probe", "you@example.org")
        assert shown.code == 1
        first, _, probe = shown.events
        assert (first["status"], probe["kind"], probe["well"]) == ("Authorized", "probe", False)
        assert probe["reason"]
        assert not here.cloud.mailboxes.submitted


async def test_nothing_is_sent_where_there_is_no_authorization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(USER, tmp_path, monkeypatch) as here:
        shown = await status(here, "--probe", "you@example.org")
        assert shown.code == 1
        assert "message" not in shown.out
        assert not here.events("accepted")


async def test_a_probe_through_another_account_proves_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"""
[accounts.other]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
mailboxes = ["wp@contoso.com"]
[[routes]]
account = "other"
"""
    async with authorized(ANY, tmp_path, monkeypatch, extra=other) as here:
        assert [event async for event in asked(here, "authorize", account="other", by="root")]
        shown = await status(here, "website", "--probe", "you@example.org")
        assert shown.code == 1
        assert "the message went through account other" in shown.out


# --- Outside a scope -----------------------------------------------------------------------------


async def outside(here: World, mailbox: str = "alice@contoso.com") -> Ended:
    shown = await status(here, "website", "--json", "--outside", mailbox)
    assert not here.cloud.mailboxes.submitted  # Whatever the answer is.
    return shown


async def test_a_mailbox_outside_the_scope_is_proven_to_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        shown = await outside(here)
        assert shown.code == 0, shown
        _, _, proof = shown.events
        assert (proof["result"], proof["well"]) == ("refused", True)
        assert proof["said"] == "HTTP 403 ErrorAccessDenied"
        assert proof["said_inside"] == "HTTP 400 ErrorInvalidRecipients"
        plain = await status(here, "--outside", "alice@contoso.com")
        assert "alice@contoso.com is refused, and info@contoso.com is not." in plain.out


async def test_a_mailbox_that_is_open_after_all_is_not_proven_to_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        app = confidential(here.cloud)
        app.exchange_roles = [
            ExchangeRole(role="Application Mail.Send", scope=lambda user: _everybody(user))
        ]
        shown = await outside(here)
        assert shown.code == 1
        _, _, proof = shown.events
        assert proof["result"] == "not refused"
        assert "Test-ServicePrincipalAuthorization" in proof["remedy"]


def _everybody(_: User) -> bool:
    return True


async def test_a_scope_on_which_exchange_does_not_act_yet_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        confidential(here.cloud).exchange_roles.clear()
        shown = await outside(here)
        assert shown.code == 1
        _, _, proof = shown.events
        assert proof["result"] == "all refused"
        assert "30 minutes to 2 hours" in proof["remedy"]


async def test_a_mailbox_that_is_not_there_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        shown = await outside(here, "noone@contoso.com")
        assert shown.code == 1
        assert shown.events[2]["result"] == "no such mailbox"


@pytest.mark.parametrize("http", [401, 429, 503])
async def test_an_unclear_answer_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http: int
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        here.cloud.faults.on(Answer(status=http, part="graph"))
        shown = await outside(here)
        assert shown.code == 1
        assert shown.events[2]["result"] == "unclear"


async def test_where_exchange_looks_for_recipients_first_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of its checks is not documented."""
    body = '{"error": {"code": "ErrorInvalidRecipients", "message": "no recipients"}}'
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        here.cloud.faults.on(Answer(status=400, body=body, part="graph"))
        shown = await outside(here)
        assert shown.code == 1
        assert shown.events[2]["result"] == "not refused"


async def test_a_mailbox_that_the_account_may_use_is_not_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(SCOPED, tmp_path, monkeypatch) as here:
        shown = await outside(here, "INFO@contoso.com")
        assert shown.code == 1
        assert "may use INFO@contoso.com by its configuration" in shown.err


async def test_only_a_scope_has_an_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as here:
        shown = await outside(here)
        assert shown.code == 1
        assert 'only "scoped-users" has a scope' in shown.err
