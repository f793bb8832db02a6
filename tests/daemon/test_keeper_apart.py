"""Authorizations, kept by a process of its own."""

import asyncio
import os
import pickle
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphrelay.daemon import keeper_apart, keeper_process
from graphrelay.daemon.keeper_apart import Asked, KeeperApart, Returned, Unable
from graphrelay.daemon.keeper_process import _Desk
from graphrelay.journal import Entry
from graphrelay.oauth.answers import EntraUnreachable, Granted, Unauthorized, VaultProblem
from graphrelay.oauth.authorization import SignedIn
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import AnyUser
from graphrelay.oauth.sign_in.authorizer import Authorizer, Pending, PendingDevice, Stored
from graphrelay.oauth.sign_in.identities import Identities, Person
from graphrelay.oauth.sign_in.loopback import query_of
from graphrelay.oauth.tokens.keeper import KeeperBroke
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import open_vault
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import Answer, Stall
from graphrelay.sandbox.visitor import Visitor
from tests.daemon.keeping import apart
from tests.oauth.conftest import DAEMON, WEBSITE, files_only, stored
from tests.oauth.entra.test_credentials import CERTIFICATE, one_pem


@dataclass
class World:
    cloud: Sandbox
    state: Path
    tokens: TokenManager
    keeper: KeeperApart
    entries: list[Entry]

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        process = self.keeper._process
        return process._process.pid if process else None

    async def rests(self) -> None:
        """As after a look at all accounts, since when nobody has asked for anything."""
        self.tokens._busy = False
        self.tokens._rest()
        await self.tokens._in_thread(lambda: None)

    async def authorize(self) -> object:
        authorizer = Authorizer(self.tokens)
        pending = await authorizer.begin(WEBSITE, "http://localhost:1")
        assert isinstance(pending, Pending), pending
        async with Visitor(self.cloud.ca_file) as visitor:
            back = await visitor.sign_in(pending.authorization_url, "wp@contoso.com")
        return await authorizer.complete(pending, back, "root")

    def refresh_token(self) -> str:
        vault = open_vault(self.state, "file", files_only(self.state))
        found = stored(vault)
        vault.close()
        assert isinstance(found, SignedIn)
        return found.signed_in.refresh_token


@contextmanager
def silent(cloud: Sandbox) -> Iterator[asyncio.Event]:
    """Entra answers nothing while it lasts. The event: it has been asked."""
    stall, asked, take = Stall(part="entra"), asyncio.Event(), cloud.faults.take

    def taking(*args: Any, **more: Any) -> Any:
        found = take(*args, **more)
        if found is stall:
            asked.set()
        return found

    cloud.faults.on(stall)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cloud.faults, "take", taking)
        yield asked
    cloud.faults.off(stall)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    state, entries = tmp_path / "state", list[Entry]()
    async with Sandbox() as cloud:
        of = TokenCloud(cloud.login_url, cloud.graph_url)
        tokens, keeper = apart(state, of, cloud.ca_file, hear=entries.append)
        yield World(cloud, state, tokens, keeper, entries)
        await tokens.aclose()
    assert keeper._process is None


async def test_a_user_is_signed_in_renewed_shown_and_withdrawn(world: World) -> None:
    assert isinstance(await world.authorize(), Stored)
    first, before = await world.tokens.token("website"), world.refresh_token()
    assert isinstance(first, Granted)
    newer = await world.tokens.token("website", fresh=True)
    assert isinstance(newer, Granted)
    assert newer.access_token != first.access_token
    assert world.refresh_token() != before
    status = await world.tokens.status("website")
    assert (status.word, status.vault[:28]) == ("Authorized", "file (auto: no desktop sessi")
    assert status.evidence is not None
    assert (status.evidence.who, status.evidence.authorized_by) == ("wp@contoso.com", "root")
    assert await world.tokens.revoke("website") is None
    assert isinstance(await world.tokens.token("website"), Unauthorized)


async def test_an_application_gets_its_token(world: World) -> None:
    assert isinstance(await world.tokens.token("daemon"), Granted)
    assert (await world.tokens.status("daemon")).word == "Authorized"


async def test_a_person_is_identified(world: World) -> None:
    identities = Identities(world.tokens)
    request = await identities.begin("website", "http://localhost:1")
    async with Visitor(world.cloud.ca_file) as visitor:
        back = await visitor.sign_in(request.url, "wp@contoso.com")  # type: ignore[union-attr]
    person = await identities.identify("website", request, query_of(back))  # type: ignore[arg-type]
    assert isinstance(person, Person)
    assert person.username == "wp@contoso.com"


async def test_a_sign_in_that_one_began_another_completes(world: World) -> None:
    """A person may take longer than a process that has nothing to do stays."""
    authorizer, identities = Authorizer(world.tokens), Identities(world.tokens)
    pending = await authorizer.begin(WEBSITE, "http://localhost:1")
    device = await authorizer.begin_device(WEBSITE)
    person = await identities.begin("website", "http://localhost:1")
    assert isinstance(pending, Pending)
    assert isinstance(device, PendingDevice)
    first = world.pid
    await world.rests()
    assert world.pid is None
    async with Visitor(world.cloud.ca_file) as visitor:
        back = await visitor.sign_in(pending.authorization_url, "wp@contoso.com")
        assert isinstance(await authorizer.complete(pending, back, "root"), Stored)
        await visitor.enter_device_code(device.verification_uri, device.user_code, "wp@contoso.com")
        assert isinstance(await authorizer.poll(device, "root"), Stored)
        back = await visitor.sign_in(person.url, "wp@contoso.com")  # type: ignore[union-attr]
    found = await identities.identify("website", person, query_of(back))  # type: ignore[arg-type]
    assert isinstance(found, Person)
    assert world.pid not in (None, first)


async def test_it_ends_when_there_is_nothing_to_do_and_begins_again(world: World) -> None:
    assert world.pid is None
    await world.tokens.token("daemon")
    first = world.pid
    await world.rests()
    assert first is not None
    assert world.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert isinstance(await world.tokens.token("daemon", fresh=True), Granted)
    assert world.pid not in (None, first)


async def test_what_is_known_needs_no_process(world: World) -> None:
    """The pages of the console show it again and again."""
    await world.tokens.token("daemon")
    await world.rests()
    status = await world.tokens.status("daemon", prove=False)
    assert status.word == "Authorized"
    assert status.evidence is not None
    assert status.vault.startswith("file (auto")
    assert world.pid is None


async def test_it_stays_while_an_answer_of_entras_could_not_be_stored(world: World) -> None:
    await world.authorize()
    before, lock = world.refresh_token(), world.state / "vault.lock"
    lock.unlink()
    lock.mkdir()
    assert isinstance(await world.tokens.token("website", fresh=True), VaultProblem)
    kept = world.pid
    await world.rests()
    assert world.pid == kept is not None
    lock.rmdir()
    assert isinstance(await world.tokens.token("website", fresh=True), Granted)
    assert world.refresh_token() != before
    await world.rests()
    assert world.pid is None


async def test_it_stays_while_the_vault_cannot_be_used(world: World) -> None:
    """The prompt of a desktop's keyring ends with the process that asked for it."""
    world.state.mkdir()
    (world.state / "vault.key").write_bytes(b"too short")
    assert isinstance(await world.tokens.token("website"), VaultProblem)
    kept = world.pid
    await world.rests()
    assert world.pid == kept is not None
    (world.state / "vault.key").unlink()
    assert isinstance(await world.tokens.token("website"), Unauthorized)
    await world.rests()
    assert world.pid is None


async def test_an_account_that_was_removed_has_nothing_to_store(world: World) -> None:
    await world.authorize()
    (world.state / "vault.lock").unlink()
    (world.state / "vault.lock").mkdir()
    assert isinstance(await world.tokens.token("website", fresh=True), VaultProblem)
    await world.tokens.reconfigure([DAEMON])
    await world.rests()
    assert world.pid is None


async def test_refresh_tokens_stay_there(world: World) -> None:
    await world.authorize()
    await world.tokens.token("website", fresh=True)
    renewal = world.tokens._states["website"].renewal
    for found in (
        world.tokens._states["website"].found,
        await world.tokens.with_vault(lambda _: renewal.load()),
    ):
        assert isinstance(found, SignedIn)
        assert found.signed_in.refresh_token == ""
    assert world.refresh_token()


async def test_it_stays_while_entra_is_asked_again_each_minute(world: World) -> None:
    world.keeper._settings = replace(
        world.keeper._settings, token_cloud=TokenCloud("https://127.0.0.1:1", world.cloud.graph_url)
    )
    assert isinstance(await world.tokens.token("daemon"), EntraUnreachable)
    await world.rests()
    assert world.pid is not None


async def test_it_ends_while_entra_fails_and_the_token_is_good(world: World) -> None:
    await world.tokens.token("daemon")
    await world.tokens.token("website")
    world.cloud.faults.on(Answer(status=503, part="entra"))
    assert (await world.tokens.status("daemon")).word == "Unreachable"
    await world.rests()
    assert world.pid is None


async def test_a_process_that_is_killed_refuses_nothing(world: World) -> None:
    await world.authorize()
    with silent(world.cloud) as asked:
        asking = asyncio.create_task(world.tokens.token("website", fresh=True))
        await asyncio.wait_for(asked.wait(), 30)
        assert world.pid is not None
        os.kill(world.pid, signal.SIGKILL)
        answer = await asking
    assert answer == EntraUnreachable(
        reason="the process that keeps the authorizations ended with signal 9"
    )
    assert isinstance(await world.tokens.token("website", fresh=True), Granted)


async def test_one_that_was_killed_while_it_had_nothing_to_do_is_replaced(world: World) -> None:
    await world.tokens.token("daemon")
    assert world.pid is not None
    os.kill(world.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, world.pid, os.WEXITED | os.WNOWAIT)
    assert isinstance(await world.tokens.token("daemon", fresh=True), Granted)


async def test_none_is_started_to_forget_an_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tokens.token("daemon")
    assert world.pid is not None
    os.kill(world.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, world.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    monkeypatch.setattr(world.keeper, "_lost", lambda error: pytest.fail(repr(error)))
    await world.tokens.reconfigure([WEBSITE])
    assert world.pid is None


async def test_one_that_is_frozen_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tokens.token("daemon")
    assert world.pid is not None
    os.kill(world.pid, signal.SIGSTOP)
    with monkeypatch.context() as hasty:
        hasty.setattr(keeper_apart, "ANSWERS_WITHIN", timedelta(milliseconds=100))
        async with asyncio.timeout(30):
            answer = await world.tokens.token("daemon", fresh=True)
    assert answer == EntraUnreachable(
        reason="the process that keeps the authorizations was silent for 0 minutes"
    )
    assert isinstance(await world.tokens.token("daemon", fresh=True), Granted)


async def test_an_answer_that_there_is_no_memory_for_is_no_answer_to_what_is_asked_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as full:
        full.setattr("pickle.load", load)
        answer = await world.tokens.token("daemon")
    assert isinstance(answer, EntraUnreachable)
    assert "no memory" in answer.reason
    contents = await world.tokens.with_vault(lambda vault: vault.contents(()))
    assert contents.names == ("daemon",)


async def test_what_cannot_be_asked_is_not_asked_with_the_next_question(world: World) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        await world.tokens.with_vault(lambda vault: vault.contents(lambda: ()))  # type: ignore[arg-type]
    contents = await world.tokens.with_vault(lambda vault: vault.contents(()))
    assert contents.names == ()


async def test_it_stays_while_somebody_signs_in(world: World) -> None:
    """The doctor asks what Entra has answered last, too."""
    await world.authorize()
    kept = world.pid
    world.tokens._rest()
    await world.tokens._in_thread(lambda: None)
    assert world.pid == kept is not None
    await world.rests()
    assert world.pid is None


async def test_it_stays_while_somebody_looks_at_what_is_not_authorized(world: World) -> None:
    await world.tokens.status("website", prove=False)
    kept = world.pid
    world.tokens._rest()
    await world.tokens._in_thread(lambda: None)
    assert world.pid == kept is not None


async def test_it_stores_what_entra_answers_after_the_relay_was_killed(world: World) -> None:
    await world.authorize()
    before, cloud = world.refresh_token(), world.cloud
    with silent(cloud) as asked:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.daemon.keeping", str(world.state)),
            *(cloud.login_url, cloud.graph_url, str(cloud.ca_file)),
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(asked.wait(), 30)
        process.kill()
    _, said = await asyncio.wait_for(process.communicate(), 30)  # until both have ended
    assert said == b""
    assert world.refresh_token() != before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_of_a_terminal_or_a_service_are_left_to_the_relay(
    world: World, number: signal.Signals
) -> None:
    await world.tokens.token("daemon")
    pid = world.pid
    assert pid is not None
    os.kill(pid, number)
    assert isinstance(await world.tokens.token("daemon", fresh=True), Granted)
    assert world.pid == pid


async def test_a_terminal_has_no_signal_for_it_while_it_starts(world: World) -> None:
    await world.tokens.token("daemon")
    assert world.pid is not None
    assert os.getpgid(world.pid) == world.pid != os.getpgid(0)


async def test_another_version_keeps_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade has replaced the files of the relay that runs."""
    monkeypatch.setattr(keeper_apart, "__version__", "0.0.1")
    answer = await world.tokens.token("daemon")
    assert answer == EntraUnreachable(
        reason="graphrelay was upgraded while this relay runs; restart it"
    )


async def test_another_python_is_named_as_a_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot import what this one can."""
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    answer = await world.tokens.token("daemon")
    assert isinstance(answer, EntraUnreachable)
    assert answer.reason.endswith("was upgraded while this relay runs, restart it")


async def test_a_machine_that_can_start_no_process_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as short:
        short.setattr(sys, "executable", "/nowhere/python3")
        answer = await world.tokens.token("daemon")
        assert isinstance(answer, EntraUnreachable)
        assert answer.reason.startswith("no process could be started to keep the authorizations")
        assert (await world.tokens.status("website", prove=False)).word == "Unreachable"
        with pytest.raises(VaultFailure, match=r"^no process could be .*\. Run it again\.$"):
            await world.tokens.with_vault(lambda vault: vault.contents(()))
        problem = await world.tokens.revoke("daemon")
        assert problem is not None
        assert problem.remedy == "Run it again."
    assert isinstance(await world.tokens.token("daemon"), Granted)


async def test_certificates_that_cannot_be_read_are_named(world: World, tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    world.keeper._settings = replace(world.keeper._settings, ca_file=gone)
    answer = await world.tokens.token("daemon")
    assert answer == EntraUnreachable(reason=f"{gone}: no such file")


def test_a_machine_that_can_start_no_thread_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    desk, asked = _Desk(world.keeper._settings), Asked("renewal", "load", DAEMON)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        answer = desk.answer(asked)
    assert answer == Unable("the machine cannot start another thread")
    assert isinstance(desk.answer(asked), Returned)


def test_a_process_that_lacks_memory_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_memory(_: Any) -> Any:
        raise MemoryError

    desk, asked = _Desk(world.keeper._settings), Asked("renewal", "load", DAEMON)
    with monkeypatch.context() as short:
        short.setattr(keeper_process, "client_context", without_memory)
        answer = desk.answer(asked)
    assert answer == Unable("no memory is left for the process that keeps the authorizations")
    assert isinstance(desk.answer(asked), Returned)


async def test_a_failure_of_the_vault_arrives_whole(world: World) -> None:
    await world.tokens.token("daemon")
    (world.state / "vault.key").write_bytes(b"too short")
    await world.rests()
    with pytest.raises(VaultFailure) as caught:
        await world.tokens.with_vault(lambda vault: vault.rotate())
    assert "vault.key" in caught.value.reason
    assert caught.value.remedy
    assert not caught.value.passes


def test_a_mistake_of_ours_is_named_by_its_type(world: World) -> None:
    with pytest.raises(KeeperBroke, match=r"^AttributeError$"):
        world.keeper.ask(Asked("renewal", "no_such_method", WEBSITE))


async def test_a_vault_stays_where_it_was_found(world: World) -> None:
    """A desktop's keyring that does not answer for a moment would be another vault."""
    await world.tokens.token("daemon")
    place = world.keeper.place
    assert place is not None
    assert place.name == "file"
    assert world.keeper._settings.vault_backend == "file"
    await world.rests()
    assert str(place) == await world.tokens.with_vault(lambda vault: str(vault.contents(()).place))


async def test_an_account_that_changed_is_treated_as_another(world: World) -> None:
    assert isinstance(await world.authorize(), Stored)
    changed = replace(WEBSITE, client_id="another")
    await world.tokens.reconfigure([changed, DAEMON])
    answer = await world.tokens.token("website")
    assert isinstance(answer, Unauthorized)
    assert "client_id" in answer.reason


async def test_a_certificate_is_read_there(world: World, tmp_path: Path) -> None:
    scenario = AnyUser(one_pem(tmp_path))
    await world.tokens.reconfigure([replace(DAEMON, scenario=scenario)])
    renewal = world.tokens._states["daemon"].renewal
    ends_at = await world.tokens.with_vault(lambda _: renewal.credential_ends_at())
    assert ends_at == CERTIFICATE.not_valid_after_utc
    assert world.pid is not None


async def test_what_a_library_prints_is_no_answer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "jwt.py").write_text("print('a word of mine')")
    monkeypatch.syspath_prepend(tmp_path / "libraries")
    scenario = AnyUser(one_pem(tmp_path))
    await world.tokens.reconfigure([replace(DAEMON, scenario=scenario)])
    answer = await world.tokens.token("daemon")
    assert isinstance(answer, EntraUnreachable)
    assert "AttributeError" in answer.reason, "the library is not what it seems"
    assert world.pid is not None


async def test_the_end_of_a_secret_needs_no_process(world: World) -> None:
    state = world.tokens._states["daemon"]
    assert (
        await world.tokens.ask(state.account, lambda _: state.renewal.credential_ends_at()) is None
    )
    assert world.pid is None
