"""TokenManager: one refresh for all callers, saved before it is used, and mail keeps flowing."""

import asyncio
import json
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from graphrelay.model import Paused
from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    TokenRefused,
    Unauthorized,
    VaultProblem,
)
from graphrelay.oauth.authorization import SignedIn
from graphrelay.oauth.entra.grants import LONGEST_LIFE
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    ClientSecret,
    Personal,
    ScopedUsers,
    SecretFile,
    SecretText,
    SendAsUser,
)
from graphrelay.oauth.sign_in.authorizer import Stored
from graphrelay.oauth.tokens.manager import LOOK_AGAIN, TICK, TokenManager
from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    PUBLIC_CLIENT,
    Secret,
)
from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.faults import EntraError
from graphrelay.sandbox.faults import Answer, CutBefore, Stall
from tests.clock import FakeClock, settle
from tests.oauth.conftest import DAEMON, WEBSITE, World, stored

A_DAY_AND_MORE = timedelta(hours=30)
"""Longer than any access token lives."""
A_MOMENT = timedelta(milliseconds=20)


async def granted(manager: TokenManager, account: str = "website", fresh: bool = False) -> Granted:
    answer = await manager.token(account, fresh=fresh)
    assert isinstance(answer, Granted), answer
    return answer


async def running(manager: TokenManager) -> "asyncio.Task[None]":
    """The background task, after its first look at everything."""
    task = asyncio.create_task(manager.run())
    await quiet(manager)
    return task


async def quiet(manager: TokenManager) -> None:
    """Wait until the background task sleeps: the clock does not see its work in threads."""
    assert isinstance(manager.clock, FakeClock)
    await settle()
    while not manager.clock.sleepers:  # noqa: ASYNC110 (the clock has no event for it)
        await asyncio.sleep(0)


async def stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- Getting one ---------------------------------------------------------------------------------


async def test_an_account_that_was_never_authorized_is_unauthorized(world: World) -> None:
    answer = await world.manager().token("website")
    assert isinstance(answer, Unauthorized)
    assert answer.remedy == "Run: graphrelay authorize website"
    assert world.asked() == 0


async def test_an_account_that_is_gone_from_the_configuration_is_unauthorized(world: World) -> None:
    answer = await world.manager().token("gone")
    assert isinstance(answer, Unauthorized)
    assert "gone" in answer.reason


async def test_a_user_signs_in_and_gets_a_token(world: World) -> None:
    manager = world.manager()
    stored = await world.authorize(manager, WEBSITE)
    assert isinstance(stored, Stored), stored
    assert stored.who == "wp@contoso.com"
    assert "Mail.Send" in (await granted(manager)).scopes


async def test_an_application_is_approved_and_gets_a_token(world: World) -> None:
    manager = world.manager()
    stored = await world.authorize(manager, DAEMON)
    assert isinstance(stored, Stored), stored
    assert (await granted(manager, "daemon")).scopes == ("Mail.Send",)


async def test_a_good_token_is_handed_out_without_a_request_and_at_once(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    first = await granted(manager)
    asked = world.asked()
    with pytest.raises(StopIteration) as done:  # it waits for nothing: no thread, no lock, no disk
        manager.token("website").send(None)
    assert done.value.value is first
    assert world.asked() == asked


async def test_twenty_that_ask_at_once_make_one_request(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    asked = world.asked()
    answers = await asyncio.gather(*(manager.token("website") for _ in range(20)))
    assert len({answer.access_token for answer in answers if isinstance(answer, Granted)}) == 1
    assert world.asked() == asked + 1


async def test_twenty_that_ask_at_once_share_a_refusal(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    world.cloud.faults.on(EntraError(aadsts=50173))
    asked = world.asked()
    answers = await asyncio.gather(*(manager.token("website") for _ in range(20)))
    assert all(isinstance(answer, TokenRefused) for answer in answers)
    assert world.asked() == asked + 1


async def test_a_cancelled_caller_does_not_cancel_the_refresh_for_the_others(
    world: World,
) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    stall = Stall(part="entra")
    world.cloud.faults.on(stall)
    impatient = asyncio.create_task(manager.token("website"))
    patient = asyncio.create_task(manager.token("website"))
    await settle()
    await stopped_token(impatient)
    world.cloud.faults.off(stall)
    assert isinstance(await patient, Granted)


async def stopped_token(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_accounts_do_not_share_tokens(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager, WEBSITE)
    await world.authorize(manager, DAEMON)
    website, daemon = await granted(manager), await granted(manager, "daemon")
    assert website.access_token != daemon.access_token


# --- Saved before used ---------------------------------------------------------------------------


async def test_a_rolled_refresh_token_is_in_the_vault_before_the_token_is_used(
    world: World,
) -> None:
    vault = world.vault()
    manager = world.manager(vault=vault)
    await world.authorize(manager)
    before = stored(vault)
    await world.clock.advance(A_DAY_AND_MORE)
    token = await granted(manager)
    after = stored(vault)
    assert isinstance(before, SignedIn)
    assert isinstance(after, SignedIn)
    assert after.signed_in.refresh_token != before.signed_in.refresh_token
    assert after.access.text == token.access_token
    assert after.id == before.id


async def test_a_token_that_cannot_be_saved_is_not_used(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    (world.state_directory / "vault.lock").unlink()
    (world.state_directory / "vault.lock").mkdir()
    answer = await manager.token("website")
    assert isinstance(answer, VaultProblem)
    assert "vault.lock" in answer.reason


async def test_another_process_goes_on_with_what_is_in_the_vault(world: World) -> None:
    first = world.manager()
    await world.authorize(first)
    token = await granted(first)
    asked = world.asked()
    second = world.manager()
    assert (await granted(second)).access_token == token.access_token
    assert world.asked() == asked


# --- While a token is valid --------------------------------------------------------------------


async def test_entra_is_down_and_mail_flows_while_the_token_lasts(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    background = await running(manager)
    token = await granted(manager)
    world.cloud.faults.on(CutBefore(part="entra"))
    for _ in range(60):
        await world.clock.advance(timedelta(minutes=1))
        await quiet(manager)
        assert (await granted(manager)).access_token == token.access_token
    assert world.events().count("authorization-unreachable") == 1
    await stopped(background)


async def test_entra_is_down_with_no_token_and_mail_waits_until_it_is_back(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    changes: list[str] = []
    manager.on_change(changes.append)
    fault = Answer(status=503, body="<html>", content_type="text/html", part="entra")
    world.cloud.faults.on(fault)
    background = await running(manager)
    answer = await manager.token("website")
    assert isinstance(answer, EntraUnreachable), answer
    assert "503" in answer.reason
    world.cloud.faults.off(fault)
    before = manager.revision("website")
    await world.clock.advance(TICK)
    await quiet(manager)
    assert changes == ["website"]
    assert manager.revision("website") == before + 1
    await granted(manager)
    await stopped(background)


async def test_a_token_with_an_impossible_lifetime_does_no_harm(world: World) -> None:
    manager = world.manager(DAEMON)
    await world.authorize(manager, DAEMON)
    said = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 10**12}
    world.cloud.faults.on(Answer(status=200, body=json.dumps(said), part="entra"))
    answer = await manager.token("daemon", fresh=True)
    assert isinstance(answer, Granted), answer
    assert answer.expires_at == world.clock.now() + LONGEST_LIFE


async def test_a_token_is_renewed_long_before_it_ends(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    background = await running(manager)
    first = await granted(manager)
    await world.clock.advance(timedelta(minutes=46))
    await quiet(manager)
    second = await granted(manager)
    assert second.access_token != first.access_token
    assert first.expires_at - world.clock.now() > timedelta(hours=10)
    await stopped(background)


async def test_an_idle_authorization_never_lapses(world: World) -> None:
    """Refresh tokens lapse after 90 days without use."""
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    background = await running(manager)
    for _ in range(100):
        await world.clock.advance(timedelta(days=1))
        await quiet(manager)
    await granted(manager)
    await stopped(background)


async def test_an_authorization_that_was_not_used_expires_with_a_remedy(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(timedelta(days=91))
    answer = await manager.token("website")
    assert isinstance(answer, TokenRefused)
    assert (answer.error, answer.kind) == ("invalid_grant", "expired")
    assert "graphrelay authorize website" in answer.remedy


async def test_a_wall_clock_that_jumps_back_does_not_keep_a_dead_token_alive(
    world: World,
) -> None:
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    start = world.clock.now()
    await world.clock.advance(A_DAY_AND_MORE)
    world.clock.set_wall_clock(start)
    assert (await granted(manager)).access_token != token.access_token


async def test_a_token_in_its_last_minutes_is_used_only_if_there_is_no_other(
    world: World,
) -> None:
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    await world.clock.advance(token.expires_at - world.clock.now() - timedelta(minutes=4))
    fault = CutBefore(part="entra", times=1)
    world.cloud.faults.on(fault)
    assert (await granted(manager)).access_token == token.access_token
    assert (await granted(manager)).access_token != token.access_token


async def test_a_token_is_not_used_to_the_last_second(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    await world.clock.advance(token.expires_at - world.clock.now() - timedelta(seconds=20))
    world.cloud.faults.on(CutBefore(part="entra"))
    assert isinstance(await manager.token("website"), EntraUnreachable)


# --- What Entra asks for -------------------------------------------------------------------------


async def test_retry_after_is_honoured_for_all_callers(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    busy = Answer(status=429, part="entra", headers=(("Retry-After", "120"),), times=1)
    world.cloud.faults.on(busy)
    first = await manager.token("website")
    assert isinstance(first, EntraUnreachable)
    assert first.retry_after == timedelta(seconds=120)
    asked = len(world.cloud.requests)
    await world.clock.advance(timedelta(seconds=90))
    second = await manager.token("website")
    assert isinstance(second, EntraUnreachable)
    assert second.retry_after == timedelta(seconds=30)
    assert len(world.cloud.requests) == asked
    await world.clock.advance(timedelta(seconds=31))
    await granted(manager)


async def test_a_corrected_secret_works_at_once(world: World) -> None:
    """msal would remember the refusal for a minute."""
    file = world.state_directory / "secret"
    file.parent.mkdir(parents=True)
    file.write_text(CLIENT_SECRET + "\n")
    account = replace(DAEMON, scenario=AnyUser(ClientSecret(SecretFile(file))))
    manager = world.manager(account)
    await world.authorize(manager, account)
    await world.clock.advance(A_DAY_AND_MORE)
    app = world.cloud.directory.app(account.client_id)
    assert app is not None
    app.secrets = [Secret(value="another")]
    refused = await manager.token("daemon")
    assert isinstance(refused, TokenRefused)
    assert refused.kind == "secret-wrong"
    file.write_text("another\n")
    await granted(manager, "daemon")


async def test_a_refusal_whose_cause_was_fixed_in_entra_is_not_remembered(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    world.cloud.faults.on(EntraError(aadsts=53003, times=1))
    refused = await manager.token("website")
    assert isinstance(refused, TokenRefused)
    assert refused.kind == "conditional-access"
    await granted(manager)


async def test_fresh_gets_another_token(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    fresh = await granted(manager, fresh=True)
    assert fresh.access_token != token.access_token
    assert (await granted(manager)).access_token == fresh.access_token


@dataclass(frozen=True, slots=True)
class Watched(Http):
    """Keeps every form that is sent."""

    forms: list[dict[str, list[str]]] = field(default_factory=list)

    def client(self, *, through_proxy: bool = True) -> httpx.Client:
        client = Http.client(self, through_proxy=through_proxy)
        hook = lambda request: self.forms.append(parse_qs(request.read().decode()))  # noqa: E731
        client.event_hooks = {"request": [hook]}
        return client


async def test_a_claims_challenge_is_carried_to_entra(world: World) -> None:
    http = Watched(world.http().ssl)
    manager = world.manager(http=http)
    for account in (WEBSITE, DAEMON):
        await world.authorize(manager, account)
        token = await granted(manager, account.name)
        challenge = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
        answer = await manager.token(account.name, fresh=True, challenge=challenge)
        assert isinstance(answer, Granted)
        assert answer.access_token != token.access_token
        said = json.loads(http.forms[-1]["claims"][0])["access_token"]
        assert said["nbf"] == {"essential": True, "value": "1"}
        assert said["xms_cc"] == {"values": ["cp1"]}


async def test_a_refused_bearer_token_is_replaced_once_for_all_who_had_it(world: World) -> None:
    http = Watched(world.http().ssl)
    manager = world.manager(http=http)
    await world.authorize(manager)
    old = await manager.bearer_token("website")
    new = await manager.bearer_token("website", refused=str(old))
    requests = len(http.forms)
    assert isinstance(new, str)
    assert new != old
    assert await manager.bearer_token("website", refused=str(old)) == new
    assert await manager.bearer_token("website") == new
    assert len(http.forms) == requests


async def test_a_challenge_is_carried_to_entra_although_the_token_is_another_by_now(
    world: World,
) -> None:
    http = Watched(world.http().ssl)
    manager = world.manager(http=http)
    await world.authorize(manager)
    challenge = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    assert isinstance(await manager.bearer_token("website", challenge=challenge), str)
    assert "nbf" in http.forms[-1]["claims"][0]


async def test_without_a_bearer_token_the_lane_pauses_with_the_remedy(world: World) -> None:
    outcome = await world.manager().bearer_token("website")
    assert isinstance(outcome, Paused)
    assert "graphrelay authorize website" in outcome.remedy


async def test_a_token_that_graph_and_entra_both_reject_is_not_used_again(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    user = world.cloud.directory.user("wp@contoso.com")
    assert user is not None
    world.cloud.directory.revoke_sessions(user, world.clock.now())
    refused = await manager.token("website", fresh=True)
    assert isinstance(refused, TokenRefused)
    assert refused.kind == "revoked"
    assert isinstance(await manager.token("website"), TokenRefused)


async def test_a_rejected_token_is_kept_while_entra_cannot_be_asked(world: World) -> None:
    """The 403 may be about one mailbox; mail of the others is still sent."""
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    world.cloud.faults.on(CutBefore(part="entra"))
    assert isinstance(await manager.token("website", fresh=True), EntraUnreachable)
    assert (await granted(manager)).access_token == token.access_token


# --- Changes -------------------------------------------------------------------------------------


async def test_a_revoked_authorization_is_gone_at_once(world: World) -> None:
    vault = world.vault()
    manager = world.manager(vault=vault)
    await world.authorize(manager)
    changes: list[str] = []
    manager.on_change(changes.append)
    assert await manager.revoke("website") is None
    assert vault.read("website") is None
    assert isinstance(await manager.token("website"), Unauthorized)
    assert changes == ["website"]


async def test_revoking_what_is_not_there_is_no_problem(world: World) -> None:
    assert await world.manager().revoke("website") is None


async def test_an_application_needs_nobody_to_authorize_it(world: World) -> None:
    answer = await world.manager().token("daemon")
    assert isinstance(answer, Granted)
    assert answer.scopes == ("Mail.Send",)
    evidence = (await world.manager().status("daemon")).evidence
    assert evidence is not None
    assert evidence.authorized_by == "the configuration"


async def test_an_application_whose_configuration_changed_needs_nobody_either(
    world: World,
) -> None:
    await world.authorize(world.manager(WEBSITE))
    another = replace(DAEMON, name=WEBSITE.name)
    assert isinstance(await world.manager(another).token(WEBSITE.name), Granted)


async def test_an_application_that_was_revoked_waits_for_somebody(world: World) -> None:
    manager = world.manager(DAEMON)
    assert isinstance(await manager.token("daemon"), Granted)
    assert await manager.revoke("daemon") is None
    for later in (manager, world.manager(replace(DAEMON, mailboxes=("a@contoso.com",)))):
        answer = await later.token("daemon")
        assert isinstance(answer, Unauthorized)
        assert "was revoked on" in answer.reason
        assert answer.remedy == "Run: graphrelay authorize daemon"
    assert isinstance(await world.authorize(manager, DAEMON), Stored)
    assert isinstance(await manager.token("daemon"), Granted)


async def test_authorizing_resumes_what_waits(world: World) -> None:
    manager = world.manager()
    assert isinstance(await manager.token("website"), Unauthorized)
    changes: list[str] = []
    manager.on_change(changes.append)
    await world.authorize(manager)
    assert changes == ["website"]
    await granted(manager)


async def test_another_process_authorizes_and_this_one_notices(world: World) -> None:
    manager = world.manager(WEBSITE)
    background = await running(manager)
    await world.authorize(world.manager())
    await world.clock.advance(LOOK_AGAIN[Unauthorized])
    await quiet(manager)
    assert world.events() == ["unauthorized", "authorized", "authorization-works"]
    await granted(manager)
    await stopped(background)


async def test_an_authorization_is_not_used_for_another_configuration(world: World) -> None:
    await world.authorize(world.manager())
    changed = replace(WEBSITE, scenario=SendAsUser("alice@contoso.com"))
    answer = await world.manager(changed).token("website")
    assert isinstance(answer, Unauthorized)
    assert "username" in answer.reason


async def test_a_reload_keeps_what_did_not_change(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    token = await granted(manager)
    asked = world.asked()
    await manager.reconfigure([WEBSITE, DAEMON])
    assert await granted(manager) is token
    assert world.asked() == asked
    assert isinstance(await manager.token("daemon"), Granted)
    await manager.reconfigure([replace(WEBSITE, client_id="another")])
    changed = await manager.token("website")
    assert isinstance(changed, Unauthorized)
    assert "client_id" in changed.reason
    gone = await manager.token("daemon")
    assert isinstance(gone, Unauthorized)
    assert "not configured" in gone.reason
    await manager.reconfigure([WEBSITE])
    assert (await granted(manager)).access_token == token.access_token


PERSONAL = Account("outlook", "", PUBLIC_CLIENT, Personal("me@outlook.com"))
SCOPED = replace(
    DAEMON, name="scoped", scenario=ScopedUsers(ClientSecret(SecretText(CLIENT_SECRET)))
)
EACH_WITH_ITS_GRANT = [
    (WEBSITE, "refresh_token"),
    (PERSONAL, "refresh_token"),
    (DAEMON, "client_credentials"),
    (SCOPED, "client_credentials"),
]


NAMES = [account.name for account, _ in EACH_WITH_ITS_GRANT]


@pytest.mark.parametrize(("account", "grant"), EACH_WITH_ITS_GRANT, ids=NAMES)
async def test_no_failure_of_a_scenario_ever_tries_another_grant(
    world: World, account: Account, grant: str
) -> None:
    """Every other way is open: both applications have the role, and all accounts share one manager
    and one vault."""
    for client_id in (PUBLIC_CLIENT, CONFIDENTIAL_CLIENT):
        app = world.cloud.directory.app(client_id)
        assert app is not None
        app.roles = {"Mail.Send"}
    manager = world.manager(*(one for one, _ in EACH_WITH_ITS_GRANT))
    for one, _ in EACH_WITH_ITS_GRANT:
        assert isinstance(await world.authorize(manager, one), Stored)
    failures = [
        *(EntraError(aadsts=number) for number in sorted(KNOWN)),
        *(Answer(status=status, part="entra") for status in (400, 401, 403, 404, 429, 500, 503)),
        CutBefore(part="entra"),
    ]
    for failure in failures:
        await world.clock.advance(A_DAY_AND_MORE)
        world.cloud.grant_types.clear()
        world.cloud.faults.on(failure)
        for fresh in (False, True):
            assert not isinstance(await manager.token(account.name, fresh=fresh), Granted)
        world.cloud.faults.off(failure)
        await granted(manager, account.name, fresh=True)
        assert set(world.cloud.grant_types) == {grant}, failure


async def test_a_failure_is_logged_once_and_so_is_its_end(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    fault = EntraError(aadsts=50173)
    world.cloud.faults.on(fault)
    for _ in range(3):
        await manager.token("website")
    world.cloud.faults.off(fault)
    await granted(manager)
    assert world.events() == ["authorized", "authorization-refused", "authorization-works"]


async def test_where_memory_is_short_it_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(name: str) -> str | None:
        raise MemoryError

    async def warn(_: object) -> None:
        raise MemoryError

    vault = world.vault()
    manager = world.manager(DAEMON, vault=vault)
    await world.authorize(manager, DAEMON)
    await world.clock.advance(A_DAY_AND_MORE)
    with monkeypatch.context() as short:
        short.setattr(vault, "read", read)
        short.setattr(manager, "_warn", warn)
        background = await running(manager)
        assert isinstance(await manager.token("daemon"), EntraUnreachable)
    assert world.events()[-2:] == ["authorization-unreachable"] * 2
    assert isinstance(await manager.token("daemon"), Granted)
    await stopped(background)
    assert "authorization-broke" not in world.events()


async def test_a_bug_that_affects_one_account_is_logged_and_the_others_stay_fresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, DAEMON, vault=vault)
    await world.authorize(manager, DAEMON)
    await world.clock.advance(A_DAY_AND_MORE)
    reads = vault.read

    def read(name: str) -> str | None:
        if name == WEBSITE.name:
            raise ZeroDivisionError("with a secret in it")
        return reads(name)

    with monkeypatch.context() as broken:
        broken.setattr(vault, "read", read)
        asked = world.asked()
        async with asyncio.timeout(10):
            background = await running(manager)
        assert world.asked() == asked + 1
        (told,) = [entry for entry in world.entries if entry.event == "authorization-broke"]
        assert told.fields == {"account": "website", "reason": "ZeroDivisionError"}
    await world.clock.advance(TICK)
    await quiet(manager)
    assert world.events()[-1] == "unauthorized"
    await stopped(background)


async def test_a_thread_that_hangs_does_not_keep_callers_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, vault=vault, patience=A_MOMENT)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    disk_is_back, works, reads = threading.Event(), asyncio.Event(), vault.read

    def read(name: str) -> str | None:
        disk_is_back.wait(60)
        return reads(name)

    monkeypatch.setattr(vault, "read", read)
    manager.on_change(lambda _: works.set())
    for _ in range(2):
        assert isinstance(await manager.token("website"), EntraUnreachable)
    assert world.events() == ["authorized", "authorization-unreachable"]
    disk_is_back.set()
    async with asyncio.timeout(10):
        await works.wait()
    assert world.events()[-1] == "authorization-works"
    await granted(manager)


async def test_a_thread_that_hangs_does_not_keep_a_reload_from_ending(world: World) -> None:
    manager = world.manager(WEBSITE, DAEMON, patience=A_MOMENT)
    disk_is_back = threading.Event()
    hanging = asyncio.create_task(manager.ask(WEBSITE, lambda _: disk_is_back.wait(60)))
    await settle()
    async with asyncio.timeout(10):
        await manager.reconfigure([WEBSITE])
    assert [account.name for account in manager.accounts] == ["website"]
    disk_is_back.set()
    assert await hanging


async def test_a_thread_that_hangs_does_not_keep_the_relay_from_ending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the time that systemd gives it."""
    monkeypatch.setattr("graphrelay.oauth.tokens.manager.CLOSES_WITHIN", A_MOMENT)
    manager = world.manager(WEBSITE)
    disk_is_back = threading.Event()
    hanging = asyncio.create_task(manager.ask(WEBSITE, lambda _: disk_is_back.wait(60)))
    await settle()
    async with asyncio.timeout(10):
        await manager.aclose()
    disk_is_back.set()
    assert await hanging


async def test_an_answer_with_an_invalid_date_is_tried_again(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    strange = (("Retry-After", "Mon, 01 Jan 99999999999999999999 00:00:00 +0000"),)
    world.cloud.faults.on(Answer(status=503, headers=strange, part="entra"))
    assert isinstance(await manager.token("website"), EntraUnreachable)


async def test_a_deeply_nested_answer_is_tried_again(world: World) -> None:
    manager = world.manager(WEBSITE)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    world.cloud.faults.on(Answer(status=400, body="[" * 30_000, part="entra"))
    assert isinstance(await manager.token("website"), EntraUnreachable)


async def test_nothing_secret_is_in_any_repr(world: World) -> None:
    manager = world.manager()
    await world.authorize(manager)
    token = await granted(manager)
    text = repr(token) + repr(manager._states) + repr(vars(manager))
    assert token.access_token not in text
    assert "refresh_token=" not in text
    assert CLIENT_SECRET not in text
