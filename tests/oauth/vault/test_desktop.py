"""The Secret Service: a real gnome-keyring on a message bus of its own."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import secretstorage
from jeepney import MatchRule, message_bus  # type: ignore[import-untyped]
from jeepney.io.blocking import (  # type: ignore[import-untyped]
    Proxy,
    open_dbus_connection,
)

from graphrelay.oauth.answers import Granted, VaultProblem
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.sign_in.authorizer import Stored
from graphrelay.oauth.vault.move import move
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Put, Remove, Vault, open_vault
from tests.bus import message_bus_in
from tests.daemon.keeping import apart
from tests.oauth.conftest import WEBSITE, World, files_only
from tests.tools import needs

NAME = "org.freedesktop.secrets"
LONG = timedelta(seconds=20)


@dataclass
class Desktop:
    """A session: its bus, and a keyring that is unlocked."""

    address: str
    keyring: "subprocess.Popen[str]"

    def lock(self) -> None:
        connection = secretstorage.dbus_init()
        try:
            secretstorage.get_default_collection(connection).lock()
        finally:
            connection.close()

    def end_keyring(self) -> None:
        self.keyring.terminate()
        self.keyring.wait(20)


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    keyring_program = needs("gnome-keyring")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    with message_bus_in(home) as address:
        yield from _session(address, keyring_program, monkeypatch)


def _session(
    address: str, keyring_program: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desktop]:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    keyring = subprocess.Popen(
        [keyring_program, "--foreground", "--components=secrets", "--unlock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert keyring.stdin is not None
    keyring.stdin.write("password")
    keyring.stdin.close()
    try:
        _wait_for_service(address)
        yield Desktop(address, keyring)
    finally:
        keyring.terminate()
        keyring.wait(20)


def _wait_for_service(address: str) -> None:
    """By the bus's own signal, not by the clock."""
    rule = MatchRule(type="signal", member="NameOwnerChanged", path="/org/freedesktop/DBus")
    rule.add_arg_condition(0, NAME)
    with open_dbus_connection(address) as connection:
        bus = Proxy(message_bus, connection)
        bus.AddMatch(rule)
        with connection.filter(rule) as arrived:
            if not bus.NameHasOwner(NAME)[0]:
                connection.recv_until_filtered(arrived, timeout=20)


@pytest.fixture
def vault(desktop: Desktop, tmp_path: Path) -> Iterator[Vault]:
    vault = open_vault(tmp_path / "state", "secret-service", timeout=LONG)
    yield vault
    vault.close()


def test_secrets_of_any_length_are_kept(vault: Vault) -> None:
    assert vault.read("website") is None
    for secret in ("geheim ✓", "x" * 9_000):
        vault.change("website", lambda _, s=secret: Put(s))  # type: ignore[misc]
        assert vault.read("website") == secret
    vault.change("website", lambda _: Remove())
    assert vault.read("website") is None
    vault.change("website", lambda _: Remove())


def test_auto_takes_it_in_a_desktop_session(desktop: Desktop, tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "state", "auto", timeout=LONG)
    told = vault.describe()
    vault.close()
    assert told == "secret-service (auto: the desktop session's Secret Service)"
    assert not (tmp_path / "state" / "vault.key").exists()


def test_without_a_keyring_auto_takes_files(desktop: Desktop, tmp_path: Path) -> None:
    desktop.end_keyring()
    vault = open_vault(tmp_path / "state", "auto", timeout=LONG)
    told = vault.describe()
    vault.close()
    assert told.startswith("file (auto: no Secret Service answers in this session; ")


def test_a_locked_keyring_says_so_and_works_when_it_is_unlocked(
    vault: Vault, desktop: Desktop
) -> None:
    vault.change("website", lambda _: Put("x"))
    desktop.lock()
    with pytest.raises(VaultFailure) as caught:
        vault.read("website")
    assert "ocked" in caught.value.reason + caught.value.remedy


def test_secrets_move_from_it_to_files(vault: Vault, tmp_path: Path) -> None:
    vault.change("website", lambda _: Put("x" * 5_000))
    state = tmp_path / "state"
    files = open_vault(state, "file", files_only(state))
    assert move(vault, files, vault.names(["website", "other"])) == ("website",)
    assert vault.read("website") is None
    assert files.read("website") == "x" * 5_000
    files.close()


async def test_a_move_holds_for_the_process_that_keeps_it_next(
    world: World, desktop: Desktop
) -> None:
    of = TokenCloud(world.cloud.login_url, world.cloud.graph_url)
    tokens, keeper = apart(world.state_directory, of, world.cloud.ca_file)
    assert isinstance(await tokens.token("daemon"), Granted)
    moved = await tokens.with_vault(lambda vault: vault.move("file", ["daemon"]))
    assert (moved.source.name, moved.names) == ("secret-service", ("daemon",))
    keeper.rest()
    found = await tokens.with_vault(lambda vault: vault.contents(["daemon"]))
    assert (found.place, found.names) == (moved.target, ("daemon",))
    await tokens.aclose()


async def test_an_account_is_authorized_and_renewed_in_it(world: World, desktop: Desktop) -> None:
    vault = open_vault(world.state_directory, "secret-service", timeout=LONG)
    manager = world.manager(WEBSITE, vault=vault)
    assert isinstance(await world.authorize(manager), Stored)
    await world.clock.advance(timedelta(hours=30))
    token = await manager.token("website")
    assert isinstance(token, Granted)
    another = world.manager(WEBSITE, vault=vault)
    assert await another.token("website") == token
    assert (await another.status("website")).vault.startswith("secret-service")
    vault.close()


async def test_mail_flows_on_without_the_keyring_while_the_token_lasts(
    world: World, desktop: Desktop
) -> None:
    vault = open_vault(world.state_directory, "secret-service", timeout=LONG)
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    token = await manager.token("website")
    assert isinstance(token, Granted)
    desktop.end_keyring()
    await world.clock.advance(token.expires_at - world.clock.now() - timedelta(minutes=4))
    assert await manager.token("website") == token
    await world.clock.advance(timedelta(minutes=10))
    problem = await manager.token("website")
    assert isinstance(problem, VaultProblem), problem
    assert problem.remedy
    vault.close()
