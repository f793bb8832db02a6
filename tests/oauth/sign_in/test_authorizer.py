"""Authorizing: the configured user signs in, and nothing is stored before all is checked."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    TokenRefused,
    Unauthorized,
    VaultProblem,
)
from graphrelay.oauth.consent import APPROVAL, SIGN_IN, for_admins, to_grant
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    Personal,
    SendAsUser,
    permissions,
)
from graphrelay.oauth.sign_in.authorizer import (
    Authorizer,
    Incomplete,
    Pending,
    PendingDevice,
    Rejected,
    SignInResult,
    Stored,
    WrongAccount,
    username_of,
)
from graphrelay.oauth.sign_in.loopback import RedirectReceiver, query_of
from graphrelay.oauth.tokens.manager import AccountChanged, TokenManager
from graphrelay.sandbox.directory import BY_DEFAULT_ADMIN_ONLY, PUBLIC_CLIENT, Tenant
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError, ExactRedirect
from graphrelay.sandbox.faults import CutBefore
from graphrelay.sandbox.visitor import Visitor
from tests.clock import settle
from tests.oauth.conftest import DAEMON, WEBSITE, World

OUTLOOK = Account("me", "", PUBLIC_CLIENT, Personal("me@outlook.com"))
REDIRECT = "http://localhost:1"


async def begun(authorizer: Authorizer, account: Account = WEBSITE) -> Pending:
    pending = await authorizer.begin(account, REDIRECT)
    assert isinstance(pending, Pending), pending
    return pending


async def signed_in(
    world: World, pending: Pending, who: str = "wp@contoso.com", accept: bool = True
) -> str:
    async with Visitor(world.cloud.ca_file) as visitor:
        return await visitor.sign_in(pending.authorization_url, who, accept=accept)


async def nothing_is_stored(world: World, account: Account = WEBSITE) -> bool:
    return isinstance(await world.manager(account).token(account.name), Unauthorized)


# --- The request ---------------------------------------------------------------------------------


async def test_the_request_is_the_one_of_rfc_8252(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    query = {key: values[0] for key, values in parse_qs(_query(pending)).items()}
    assert query["response_type"] == "code"
    assert query["response_mode"] == "query"
    assert query["redirect_uri"] == REDIRECT
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert query["state"] == pending.state
    assert query["nonce"]
    assert query["login_hint"] == "wp@contoso.com"
    asked = {scope.removeprefix(f"{world.cloud.graph_url}/") for scope in query["scope"].split()}
    assert asked == {"Mail.Send", "offline_access", "openid", "profile"}


async def test_each_request_has_secrets_of_its_own(world: World) -> None:
    authorizer = Authorizer(world.manager())
    first, second = await begun(authorizer), await begun(authorizer)
    for name in ("state", "nonce", "code_challenge"):
        assert parse_qs(_query(first))[name] != parse_qs(_query(second))[name]


def _query(pending: Pending) -> str:
    return urlsplit(pending.authorization_url).query


async def test_more_is_asked_for_only_where_it_is_configured(world: World) -> None:
    scenario = SendAsUser("wp@contoso.com", shared=True)
    options = AccountOptions(large_messages=True)
    account = replace(WEBSITE, scenario=scenario, options=options)
    manager = world.manager(account)
    pending = await begun(Authorizer(manager), account)
    scopes = parse_qs(_query(pending))["scope"][0]
    for wanted in ("Mail.Send.Shared", "Mail.ReadWrite", "Mail.ReadWrite.Shared"):
        assert f"{world.cloud.graph_url}/{wanted}" in scopes.split()


@pytest.mark.parametrize("faults", [[], [ExactRedirect()]], ids=["lenient", "exact"])
async def test_the_redirect_address_matches_the_registered_one(
    world: World, faults: list[ExactRedirect]
) -> None:
    """Works even if `http://localhost:1/` does not match `http://localhost`, which is
    undocumented."""
    for fault in faults:
        world.cloud.faults.on(fault)
    authorizer = Authorizer(world.manager())
    async with RedirectReceiver() as receiver:
        pending = await authorizer.begin(WEBSITE, receiver.redirect_uri)
        assert isinstance(pending, Pending)
    redirected = await signed_in(world, pending)
    assert redirected.startswith(f"{pending.redirect_uri}/?"), "the browser adds the path"
    assert isinstance(await authorizer.complete(pending, redirected, "root"), Stored)


# --- The answer ----------------------------------------------------------------------------------


async def test_the_configured_user_is_stored(world: World) -> None:
    manager = world.manager()
    authorizer = Authorizer(manager)
    pending = await begun(authorizer)
    stored = await authorizer.complete(pending, await signed_in(world, pending), "root")
    assert isinstance(stored, Stored), stored
    assert stored.who == "wp@contoso.com"
    assert isinstance(await world.manager().token("website"), Granted)


async def test_the_letter_case_of_a_username_does_not_matter(world: World) -> None:
    account = replace(WEBSITE, scenario=SendAsUser("WP@Contoso.COM"))
    assert isinstance(await world.authorize(world.manager(account), account), Stored)


async def test_another_account_is_sent_away_and_nothing_is_stored(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending, "alice@contoso.com")
    result = await authorizer.complete(pending, back, "root")
    assert isinstance(result, WrongAccount)
    assert (result.signed_in, result.expected) == ("alice@contoso.com", "wp@contoso.com")
    assert "private window" in result.remedy
    assert await nothing_is_stored(world)


async def test_refused_consent_is_a_refusal(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending, accept=False)
    result = await authorizer.complete(pending, back, "root")
    assert isinstance(result, TokenRefused)
    assert (result.error, result.kind) == ("access_denied", "declined")
    assert await nothing_is_stored(world)


@pytest.mark.parametrize("state", ["", "another", "ünïcode"])
async def test_a_wrong_state_is_rejected_and_its_code_is_not_redeemed(
    world: World, state: str
) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    query = query_of(await signed_in(world, pending))
    forged = urlencode({**query, "state": state})
    asked = world.asked()
    result = await authorizer.complete(pending, forged, "root")
    assert isinstance(result, Rejected)
    assert "state" in result.reason
    assert world.asked() == asked


async def test_an_error_with_a_wrong_state_is_not_believed(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    result = await authorizer.complete(pending, "?error=access_denied&state=x", "root")
    assert isinstance(result, Rejected)


async def test_a_parameter_given_twice_counts_for_nothing(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    result = await authorizer.complete(pending, f"{back}&state=x", "root")
    assert isinstance(result, Rejected)
    result = await authorizer.complete(pending, f"{back}&code=x", "root")
    assert isinstance(result, Rejected)
    assert "no authorization code" in result.reason


async def test_a_code_of_another_sign_in_is_refused_by_its_pkce(world: World) -> None:
    authorizer = Authorizer(world.manager())
    ours, theirs = await begun(authorizer), await begun(authorizer)
    stolen = query_of(await signed_in(world, theirs))["code"]
    result = await authorizer.complete(
        ours, urlencode({"code": stolen, "state": ours.state}), "root"
    )
    assert isinstance(result, TokenRefused)
    assert result.kind == "code-used"
    assert await nothing_is_stored(world)


async def test_an_id_token_with_another_nonce_is_refused(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    flow = {**pending.request.flow, "nonce": "another"}
    replayed = replace(pending, request=replace(pending.request, flow=flow))
    back = await signed_in(world, pending)
    result = await authorizer.complete(replayed, back, "root")
    assert isinstance(result, TokenRefused)
    assert result.kind == "replayed"
    assert await nothing_is_stored(world)


async def test_a_code_is_good_once(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    assert isinstance(await authorizer.complete(pending, back, "root"), Stored)
    again = await authorizer.complete(pending, back, "root")
    assert isinstance(again, TokenRefused)
    assert again.kind == "code-used"


async def test_an_answer_after_ten_minutes_is_too_late(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    await world.clock.advance(timedelta(minutes=11))
    result = await authorizer.complete(pending, back, "root")
    assert isinstance(result, Rejected)
    assert "too long" in result.reason


@pytest.mark.parametrize(
    "form", ["{back}", "  {back}\n", '"{back}"', "<{back}>", "?{query}", "{query}", "/?{query}"]
)
async def test_a_pasted_address_is_accepted_in_any_usual_form(world: World, form: str) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    pasted = form.format(back=back, query=urlsplit(back).query)
    assert isinstance(await authorizer.complete(pending, pasted, "root"), Stored)


@pytest.mark.parametrize("pasted", ["", "?", "http://localhost:1/", "hello", "%%%", "a=1&a=2"])
async def test_whatever_else_is_pasted_is_rejected(world: World, pasted: str) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    assert isinstance(await authorizer.complete(pending, pasted, "root"), Rejected)


@pytest.mark.parametrize("now", ["removed", "somebody else's"])
async def test_what_was_begun_for_an_account_that_changed_since_is_not_used(
    world: World, now: str
) -> None:
    manager = world.manager()
    authorizer = Authorizer(manager)
    pending = await begun(authorizer)
    redirected = await signed_in(world, pending)
    info = replace(WEBSITE, scenario=SendAsUser("info@contoso.com"))
    await manager.reconfigure([] if now == "removed" else [info])
    with pytest.raises(AccountChanged, match="meanwhile"):
        await authorizer.complete(pending, redirected, "root")
    assert isinstance(await manager.token(WEBSITE.name), Unauthorized)
    assert await nothing_is_stored(world)


async def test_what_changed_besides_does_not_end_a_sign_in(world: World) -> None:
    manager = world.manager()
    authorizer = Authorizer(manager)
    pending = await begun(authorizer)
    redirected = await signed_in(world, pending)
    await manager.reconfigure([replace(WEBSITE, mailboxes=("wp@contoso.com",))])
    assert isinstance(await authorizer.complete(pending, redirected, "root"), Stored)
    assert isinstance(await manager.token(WEBSITE.name), Granted)


async def test_authorizing_again_replaces_in_one_step(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    old = await manager.token("website")
    authorizer = Authorizer(manager)
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    assert await manager.token("website") == old, "the old one works meanwhile"
    world.cloud.faults.on(EntraError(aadsts=53003, times=1))
    assert isinstance(await authorizer.complete(pending, back, "root"), TokenRefused)
    assert await manager.token("website") == old, "and after a refusal"
    pending = await begun(authorizer)
    back = await signed_in(world, pending)
    assert isinstance(await authorizer.complete(pending, back, "root"), Stored)
    assert await manager.token("website") != old


async def test_an_authorization_that_cannot_be_stored_is_not_used(world: World) -> None:
    manager = world.manager()
    (world.state_directory / "vault.lock").mkdir(parents=True)
    result = await world.authorize(manager)
    assert isinstance(result, VaultProblem)


async def test_no_refresh_token_is_no_authorization(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await begun(authorizer)
    without = pending.authorization_url.replace("offline_access", "")
    async with Visitor(world.cloud.ca_file) as visitor:
        back = await visitor.sign_in(without, "wp@contoso.com")
    result = await authorizer.complete(pending, back, "root")
    assert isinstance(result, Rejected)
    assert "offline_access" in result.reason
    assert await nothing_is_stored(world)


async def test_an_unreachable_entra_is_reported_at_once(world: World) -> None:
    world.cloud.faults.on(CutBefore(part="entra"))
    begun_or_not = await Authorizer(world.manager()).begin(WEBSITE, REDIRECT)
    assert isinstance(begun_or_not, EntraUnreachable)


async def test_secrets_of_a_sign_in_are_in_no_repr(world: World) -> None:
    pending = await begun(Authorizer(world.manager()))
    verifier = pending.request.flow["code_verifier"]
    assert verifier not in repr(pending)
    assert pending.state not in repr(pending)


# --- Personal accounts ---------------------------------------------------------------------------


async def test_a_personal_account_signs_in_with_an_opaque_token(world: World) -> None:
    manager = world.manager(OUTLOOK)
    stored = await world.authorize(manager, OUTLOOK)
    assert isinstance(stored, Stored), stored
    assert stored.who == "me@outlook.com"
    token = await manager.token("me")
    assert isinstance(token, Granted)
    assert "." not in token.access_token
    assert "Mail.Send" in token.scopes
    status = await manager.status("me")
    assert status.is_well, status
    assert status.evidence is not None
    assert status.evidence.tenant == "consumers"


async def test_a_personal_authorization_is_renewed(world: World) -> None:
    manager = world.manager(OUTLOOK)
    await world.authorize(manager, OUTLOOK)
    first = await manager.token("me")
    await world.clock.advance(timedelta(hours=2))
    second = await manager.token("me")
    assert isinstance(second, Granted)
    assert first != second


# --- Device code ---------------------------------------------------------------------------------


async def device(authorizer: Authorizer, account: Account = WEBSITE) -> PendingDevice:
    pending = await authorizer.begin_device(account)
    assert isinstance(pending, PendingDevice), pending
    return pending


async def typed_in(
    world: World, pending: PendingDevice, who: str = "wp@contoso.com", accept: bool = True
) -> None:
    async with Visitor(world.cloud.ca_file) as visitor:
        await visitor.enter_device_code(
            pending.verification_uri, pending.user_code, who, accept=accept
        )


async def waited(world: World, authorizer: Authorizer, pending: PendingDevice) -> SignInResult:
    """Wait for the result while time passes."""
    waiting = asyncio.create_task(authorizer.wait(pending, "root"))
    while not waiting.done():
        await settle()
        if world.clock.sleepers:
            await world.clock.advance(pending.interval)
        await asyncio.sleep(0)
    return waiting.result()


async def test_a_device_code_is_authorized_elsewhere(world: World) -> None:
    manager = world.manager()
    authorizer = Authorizer(manager)
    pending = await device(authorizer)
    assert pending.user_code
    assert await authorizer.poll(pending, "root") == pending
    await typed_in(world, pending)
    stored = await authorizer.poll(pending, "root")
    assert isinstance(stored, Stored), stored
    assert isinstance(await manager.token("website"), Granted)


async def test_waiting_polls_until_the_person_is_done(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    await typed_in(world, pending)
    assert isinstance(await waited(world, authorizer, pending), Stored)


async def test_a_device_code_that_is_not_used_expires(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    await world.clock.advance(timedelta(minutes=14, seconds=50))
    result = await waited(world, authorizer, pending)
    assert isinstance(result, Rejected)
    assert "in time" in result.reason


async def test_a_declined_device_code_is_a_refusal(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    await typed_in(world, pending, accept=False)
    result = await authorizer.poll(pending, "root")
    assert isinstance(result, TokenRefused), result
    assert result.kind == "declined"


async def test_a_device_code_of_another_account_stores_nothing(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    await typed_in(world, pending, "bob@contoso.com")
    assert isinstance(await authorizer.poll(pending, "root"), WrongAccount)
    assert await nothing_is_stored(world)


async def test_slow_down_makes_the_interval_longer(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    world.cloud.faults.on(EntraError(aadsts=70016, error="slow_down", times=1))
    slower = await authorizer.poll(pending, "root")
    assert isinstance(slower, PendingDevice)
    assert slower.interval == pending.interval + timedelta(seconds=5)


async def test_a_lost_answer_does_not_end_the_wait_for_a_person(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    world.cloud.faults.on(CutBefore(part="entra", times=1))
    assert await authorizer.poll(pending, "root") == pending


async def test_waiting_can_be_given_up(world: World) -> None:
    authorizer = Authorizer(world.manager())
    pending = await device(authorizer)
    waiting = asyncio.create_task(authorizer.wait(pending, "root"))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await nothing_is_stored(world)


async def test_an_application_that_forbids_device_codes_says_so(world: World) -> None:
    app = world.cloud.directory.app(PUBLIC_CLIENT)
    assert app is not None
    app.allow_public_client_flows = False
    app.public_redirect_uris = []
    authorizer = Authorizer(world.manager())
    pending = await authorizer.begin_device(WEBSITE)
    result = (
        await authorizer.poll(pending, "root") if isinstance(pending, PendingDevice) else pending
    )
    assert isinstance(result, TokenRefused)
    assert "Allow public client flows" in result.remedy


MALFORMED = [
    ({"member": "scope", "value": '["Mail.Send"]'}, "a scope that is not text but a list"),
    ({"member": "refresh_token", "value": '{"a": 1}'}, "a refresh_token that is not text"),
    ({"member": "access_token"}, "no access token"),
    ({"member": "id_token", "value": '"nonsense"'}, "an ID token that cannot be read"),
    ({"member": "id_token", "value": '"a.!!!.c"'}, "an ID token that cannot be read"),
    ({"member": "id_token", "value": "[7]"}, "an ID token that cannot be read"),
]


@pytest.mark.parametrize(("change", "told"), MALFORMED)
@pytest.mark.parametrize("by_device", [True, False])
async def test_a_malformed_answer_ends_the_sign_in_and_says_what_is_wrong(
    world: World, change: dict[str, str], told: str, by_device: bool
) -> None:
    authorizer = Authorizer(world.manager())
    if by_device:
        pending = await device(authorizer)
        await typed_in(world, pending)
        world.cloud.faults.on(ChangedAnswer(**change))  # type: ignore[arg-type]
        result = await authorizer.poll(pending, "root")
    else:
        begun_ = await begun(authorizer)
        back = await signed_in(world, begun_)
        world.cloud.faults.on(ChangedAnswer(**change))  # type: ignore[arg-type]
        result = await authorizer.complete(begun_, back, "root")
    assert isinstance(result, EntraUnreachable), result
    assert told in result.reason
    assert await nothing_is_stored(world)


@pytest.mark.parametrize("member", ["device_code", "user_code", "verification_uri"])
@pytest.mark.parametrize("value", ["", "[1]", '""', '"a\\nb"'])
async def test_a_device_authorization_without_what_it_needs_says_so(
    world: World, member: str, value: str
) -> None:
    world.cloud.faults.on(ChangedAnswer(member=member, value=value))
    result = await Authorizer(world.manager()).begin_device(WEBSITE)
    assert isinstance(result, EntraUnreachable), result
    assert f"without a {member}" in result.reason


@pytest.mark.parametrize("value", ["1e300", "-5", '"900"', "99999999999999999999"])
@pytest.mark.parametrize("member", ["interval", "expires_in"])
async def test_strange_times_of_a_device_authorization_are_kept_within_reason(
    world: World, member: str, value: str
) -> None:
    world.cloud.faults.on(ChangedAnswer(member=member, value=value))
    pending = await device(Authorizer(world.manager()))
    assert timedelta(seconds=1) <= pending.interval <= timedelta(minutes=1)
    assert pending.expires_at <= world.clock.now() + timedelta(hours=1)


async def test_an_id_token_of_another_tenant_is_refused(world: World) -> None:
    other = json.dumps("11111111-2222-3333-4444-555555555555")
    world.cloud.faults.on(ChangedAnswer(member="tid", value=other, in_id_token=True))
    result = await world.authorize(world.manager())
    assert isinstance(result, Rejected), result
    assert "another tenant (11111111-" in result.reason
    assert await nothing_is_stored(world)


async def test_an_id_token_without_a_tenant_is_refused(world: World) -> None:
    world.cloud.faults.on(ChangedAnswer(member="tid", in_id_token=True))
    assert isinstance(await world.authorize(world.manager()), Rejected)


async def test_an_id_token_that_names_the_user_by_email_alone_is_refused(world: World) -> None:
    world.cloud.faults.on(
        ChangedAnswer(member="preferred_username", in_id_token=True),
    )
    manager = world.manager()
    result = await world.authorize(manager)
    assert isinstance(result, WrongAccount), result
    assert result.signed_in == "(no user name)"
    assert username_of({"email": "wp@contoso.com"}) == ""
    assert await nothing_is_stored(world)


# --- Applications --------------------------------------------------------------------------------


async def test_an_application_is_approved_by_its_first_token(world: World) -> None:
    manager = world.manager()
    stored = await world.authorize(manager, DAEMON)
    assert isinstance(stored, Stored)
    assert stored.granted == ("Mail.Send",)


async def test_an_application_that_lacks_what_is_configured_is_not_called_authorized(
    world: World,
) -> None:
    account = replace(DAEMON, options=AccountOptions(exact_once=True))
    incomplete = await world.authorize(world.manager(account), account)
    assert isinstance(incomplete, Incomplete)
    assert incomplete.missing == ("Mail.ReadWrite",)
    assert incomplete.remedy.startswith("Grant Mail.ReadWrite as application permission")
    assert incomplete.remedy.endswith("Then run: graphrelay status daemon")
    assert isinstance(await world.manager(account).token("daemon"), Granted)


async def test_a_refused_credential_approves_nothing(world: World) -> None:
    world.cloud.faults.on(EntraError(aadsts=7000222, times=1))
    result = await world.authorize(world.manager(), DAEMON)
    assert isinstance(result, TokenRefused)
    assert result.kind == "secret-expired"
    assert world.vault().read(DAEMON.name) is None


async def test_what_is_stored_holds_no_password_and_no_code(world: World) -> None:
    vault = world.vault()
    manager: TokenManager = world.manager(vault=vault)
    await world.authorize(manager)
    kept = json.loads(vault.read("website") or "")
    assert set(kept) == {
        "format",
        "id",
        "authorized_at",
        "authorized_by",
        "binding",
        "access",
        "signed_in",
    }


# --- Who may consent ------------------------------------------------------------------------------

EXACT = replace(WEBSITE, options=AccountOptions(exact_once=True))


def by_default(world: World, *, user_consent: bool = True) -> Tenant:
    """As Microsoft's own policy has it in 2026, or stricter."""
    tenant = world.cloud.directory.tenant("contoso.com")
    assert tenant is not None
    tenant.user_consent, tenant.admin_only = user_consent, BY_DEFAULT_ADMIN_ONLY
    return tenant


def granted_by_admin(world: World, *scopes: str) -> None:
    tenant, app = by_default(world, user_consent=False), world.cloud.directory.app(PUBLIC_CLIENT)
    assert app is not None
    world.cloud.directory.consent(app, scopes, by=tenant)


async def test_by_default_a_user_may_consent_to_sending_and_to_nothing_more(world: World) -> None:
    by_default(world)
    assert for_admins(permissions(WEBSITE)) == ()
    assert isinstance(await world.authorize(world.manager()), Stored)
    assert for_admins(permissions(EXACT)) == ("Mail.ReadWrite",)
    refused = await world.authorize(world.manager(EXACT), EXACT)
    assert isinstance(refused, TokenRefused)
    assert "Need admin approval" in APPROVAL
    assert "Grant admin consent" in refused.remedy


@pytest.mark.parametrize("account", [WEBSITE, EXACT])
async def test_what_the_guide_grants_is_enough_where_users_may_consent_to_nothing(
    world: World, account: Account
) -> None:
    granted_by_admin(world, *to_grant(permissions(account)))
    assert isinstance(await world.authorize(world.manager(account), account), Stored)


async def test_consent_without_what_every_sign_in_asks_for_is_not_enough(world: World) -> None:
    granted_by_admin(world, *(set(to_grant(permissions(WEBSITE))) - set(SIGN_IN)))
    assert isinstance(await world.authorize(world.manager()), TokenRefused)
