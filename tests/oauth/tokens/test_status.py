"""Status asks Entra, and names what is missing and what is not needed."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.oauth.answers import EntraUnreachable, TokenRefused, Unauthorized, VaultProblem
from graphrelay.oauth.authorization import to_text
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    ClientSecret,
    ScopedUsers,
    SecretText,
    SendAsUser,
)
from graphrelay.oauth.sign_in.authorizer import Stored
from graphrelay.oauth.tokens.status import Authorized, Lacking, TooBroad
from graphrelay.oauth.vault.vault import Put
from graphrelay.sandbox.directory import CLIENT_SECRET, App
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError
from graphrelay.sandbox.faults import CutBefore
from tests.oauth.conftest import DAEMON, WEBSITE, World, stored

SCOPED = Account(
    "scoped",
    "contoso.com",
    DAEMON.client_id,
    ScopedUsers(ClientSecret(SecretText(CLIENT_SECRET))),
    ("info@contoso.com",),
)


def registered(world: World, account: Account) -> App:
    app = world.cloud.directory.app(account.client_id)
    assert app is not None
    return app


async def test_a_signed_in_user_is_authorized_with_all_of_the_evidence(world: World) -> None:
    manager = world.manager()
    start = world.clock.now()
    await world.authorize(manager)
    await world.clock.advance(timedelta(hours=30))
    status = await manager.status("website")
    assert status.verdict == Authorized()
    assert (status.word, status.is_well, status.scenario) == ("Authorized", True, "user")
    evidence = status.evidence
    assert evidence is not None
    assert evidence.who == "wp@contoso.com"
    assert evidence.authorized_at == start
    assert evidence.authorized_by == "root"
    assert evidence.refreshed_at == world.clock.now()
    assert evidence.lapses_at == world.clock.now() + timedelta(days=90)
    assert evidence.missing == ()
    assert evidence.superfluous == ()
    assert [permission.name for permission in evidence.needed] == ["Mail.Send", "offline_access"]
    assert "file" in status.vault


async def test_it_asks_for_a_real_token_each_time(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    asked = world.asked()
    await manager.status("website")
    await manager.status("website")
    assert world.asked() == asked + 2


async def test_it_can_look_without_asking(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    asked = world.asked()
    assert (await manager.status("website", prove=False)).is_well
    assert world.asked() == asked


async def test_an_account_that_was_never_authorized(world: World) -> None:
    status = await world.manager().status("website")
    assert isinstance(status.verdict, Unauthorized)
    assert (status.word, status.is_well, status.evidence) == ("Unauthorized", False, None)


async def test_an_unknown_account_is_unauthorized(world: World) -> None:
    assert (await world.manager().status("nobody")).word == "Unauthorized"


async def test_an_application_does_not_lapse(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager, DAEMON)
    status = await manager.status("daemon")
    assert status.is_well
    assert status.evidence is not None
    assert status.evidence.lapses_at is None
    assert status.evidence.granted == ("Mail.Send",)
    assert status.evidence.issued_at is None, "only Azure keeps tokens back"


async def test_a_role_that_is_needed_and_not_granted_is_named(world: World) -> None:
    manager = world.manager()
    registered(world, DAEMON).roles = {"User.Read.All"}
    await world.authorize(manager, DAEMON)
    status = await manager.status("daemon")
    assert isinstance(status.verdict, Lacking)
    assert status.word == "Unauthorized"
    assert status.verdict.missing == ("Mail.Send",)
    assert "Grant admin consent" in status.verdict.remedy
    assert status.evidence is not None
    assert status.evidence.superfluous == ("User.Read.All",)


async def test_scopes_that_were_configured_later_are_missing_and_mail_flows(world: World) -> None:
    await world.authorize(world.manager())
    later = replace(WEBSITE, scenario=SendAsUser("wp@contoso.com", shared=True))
    manager = world.manager(later)
    status = await manager.status("website")
    assert isinstance(status.verdict, Lacking), status.verdict
    assert status.verdict.missing == ("Mail.Send.Shared",)
    assert "graphrelay authorize website" in status.verdict.remedy
    assert isinstance(await world.authorize(manager, later), Stored)
    assert (await manager.status("website")).is_well


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "https://graph.microsoft.com/",
        "HTTPS://graph.microsoft.us//",
        "00000003-0000-0000-C000-000000000000/",
    ],
)
async def test_a_scope_counts_whatever_entra_calls_its_resource(world: World, prefix: str) -> None:
    account = replace(WEBSITE, options=AccountOptions(large_messages=True))
    named = " ".join(prefix + scope for scope in ("Mail.ReadWrite", "Mail.Send", "openid"))
    world.cloud.faults.on(ChangedAnswer(member="scope", value=json.dumps(named)))
    manager = world.manager(account)
    assert isinstance(await world.authorize(manager, account), Stored)
    status = await manager.status("website")
    assert status.is_well, status.verdict
    assert status.evidence is not None
    assert status.evidence.superfluous == ()
    assert {"Mail.ReadWrite", "Mail.Send"} <= {*status.evidence.granted}


async def test_scopes_that_were_stored_with_their_resource_are_asked_for_again(
    world: World,
) -> None:
    """As versions before this one stored those of a custom cloud."""
    account = replace(WEBSITE, options=AccountOptions(large_messages=True))
    vault = world.vault()
    manager = world.manager(account, vault=vault)
    await world.authorize(manager, account)
    found = stored(vault)
    named = tuple(f"https://graph.microsoft.com/{s.lower()}" for s in found.access.scopes)
    long = to_text(replace(found, access=replace(found.access, scopes=named)))
    vault.change("website", lambda _: Put(long))
    status = await world.manager(account, vault=vault).status("website")
    assert status.is_well, status.verdict


async def test_scoped_users_without_an_entra_grant_is_authorized(world: World) -> None:
    registered(world, SCOPED).roles = set()
    manager = world.manager(SCOPED)
    await world.authorize(manager, SCOPED)
    status = await manager.status("scoped")
    assert status.is_well
    assert status.evidence is not None
    assert status.evidence.missing == ()


async def test_scoped_users_with_the_tenant_wide_role_is_too_broad(world: World) -> None:
    manager = world.manager(SCOPED)
    await world.authorize(manager, SCOPED)
    status = await manager.status("scoped")
    assert isinstance(status.verdict, TooBroad)
    assert (status.word, status.is_well) == ("Too broad", False)
    assert status.verdict.roles == ("Mail.Send",)
    assert "Remove Mail.Send" in status.verdict.remedy
    registered(world, SCOPED).roles = set()
    assert (await manager.status("scoped")).is_well


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (65001, "consent"),
        (53003, "conditional-access"),
        (50076, "mfa"),
        (7000222, "secret-expired"),
        (7000215, "secret-wrong"),
        (90002, "wrong-tenant"),
        (50057, "disabled-account"),
        (700024, "clock"),
        (70044, "expired"),
        (500021, "tenant-restricted"),
        (70002, "credential"),
        (7000229, "no-service-principal"),
    ],
)
async def test_a_refusal_has_microsofts_description_and_our_remedy(
    world: World, number: int, kind: str
) -> None:
    manager = world.manager()
    await world.authorize(manager)
    world.cloud.faults.on(EntraError(aadsts=number))
    status = await manager.status("website")
    assert isinstance(status.verdict, TokenRefused)
    assert (status.word, status.verdict.kind) == ("Refused", kind)
    assert status.verdict.description.startswith(f"AADSTS{number}: ")
    assert status.verdict.remedy
    assert status.evidence is not None, "what is stored is still told"


async def test_looking_at_it_breaks_nothing(world: World) -> None:
    """A refusal for `status` does not discard a token that mail can still use."""
    manager = world.manager()
    await world.authorize(manager)
    token = await manager.token("website")
    world.cloud.faults.on(EntraError(aadsts=53003))
    assert (await manager.status("website")).word == "Refused"
    assert await manager.token("website") == token


async def test_a_clock_that_is_wrong_is_named_with_the_difference(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    world.cloud.faults.on(EntraError(aadsts=700024))
    status = await manager.status("website")
    assert isinstance(status.verdict, TokenRefused)
    # The sandbox's answers have this machine's date; the test's clock differs from it.
    assert "Entra's" in status.verdict.remedy


async def test_a_secret_id_in_place_of_the_secret_is_recognised(world: World) -> None:
    secret_id = registered(world, DAEMON).secrets[0].id
    account = replace(DAEMON, scenario=AnyUser(ClientSecret(SecretText(secret_id))))
    refused = await world.authorize(world.manager(account), account)
    assert isinstance(refused, TokenRefused)
    assert "not the secret ID" in refused.remedy
    assert secret_id not in refused.description


async def test_a_tenant_that_does_not_exist_is_found_by_discovery(world: World) -> None:
    account = replace(DAEMON, tenant="nowhere.example")
    refused = await world.authorize(world.manager(account), account)
    assert isinstance(refused, TokenRefused), refused
    assert refused.kind == "wrong-tenant"


async def test_entra_out_of_reach_is_neither_yes_nor_no(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    world.cloud.faults.on(CutBefore(part="entra"))
    status = await manager.status("website")
    assert isinstance(status.verdict, EntraUnreachable)
    assert (status.word, status.is_well) == ("Unreachable", False)
    assert status.evidence is not None


async def test_a_damaged_vault_is_reported(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    (file,) = (world.state_directory / "vault").iterdir()
    file.write_bytes(b"GRV1 damaged")
    status = await world.manager().status("website")
    assert isinstance(status.verdict, VaultProblem)
    assert status.word == "Vault problem"
