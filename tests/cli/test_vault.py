"""`graphrelay vault`: names, a new key, a new backend, with and without a running relay."""

from dataclasses import replace
from pathlib import Path

import pytest

from graphrelay.control.verb import VerbError
from graphrelay.sandbox import Sandbox
from tests.e2e.commands import Ended, graphrelay
from tests.e2e.scenarios import APPLICATIONS, PERSONS, asked, relay_for
from tests.e2e.test_scenarios import one_message, status
from tests.oauth.vault.test_desktop import Desktop, desktop
from tests.world import World

__all__ = ["desktop"]
ANY = next(case for case in APPLICATIONS if str(case) == "any-user by secret")


async def vault(here: World, *arguments: str) -> Ended:
    return await graphrelay(here.config, "vault", *arguments)


def secrets_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "state" / "vault").iterdir()}


async def test_an_empty_vault_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with relay_for(PERSONS[0], tmp_path, monkeypatch) as here:
        assert "the vault is empty" in (await vault(here, "list")).out


async def test_names_are_listed_and_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(ANY, tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")]
        shown = await vault(here, "list")
        assert shown.code == 0, shown
        assert shown.out.startswith("file (auto: ")
        assert "website  configured" in shown.out
        place, secret = (await vault(here, "list", "--json")).events
        assert place["backend"] == "file"
        assert secret == {"kind": "secret", "name": "website", "configured": True}


async def test_without_a_relay_the_command_looks_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(ANY, tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")]
        stays = tmp_path / "ca.pem"
        stays.write_bytes(here.cloud.ca_file.read_bytes())
        text = here.config.read_text("utf-8").replace(str(here.cloud.ca_file), str(stays))
    here.config.write_text(text, "utf-8")
    before = secrets_of(tmp_path)
    rotated = await vault(here, "rotate")
    assert (rotated.code, rotated.out) == (0, "1 secret encrypted with a new key\n")
    assert secrets_of(tmp_path) != before
    here.config.write_text(text.replace("[accounts.website]", "[accounts.other]"), "utf-8")
    assert "website  not in the configuration" in (await vault(here, "list")).out


async def test_the_key_is_changed_while_the_relay_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(ANY, tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")]
        key, before = (tmp_path / "state" / "vault.key").read_bytes(), secrets_of(tmp_path)
        shown = await vault(here, "rotate")
        assert (shown.code, shown.out) == (0, "1 secret encrypted with a new key\n")
        assert (tmp_path / "state" / "vault.key").read_bytes() != key
        assert secrets_of(tmp_path).keys() == before.keys()
        assert secrets_of(tmp_path) != before
        assert (await status(here))["status"] == "Authorized"
        await one_message(here, ANY.mailbox)


async def test_a_key_that_systemd_handed_over_is_not_ours_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(cloud: Sandbox, folder: Path, environment: pytest.MonkeyPatch) -> list[str]:
        (folder / "vault.key").write_bytes(b"k" * 32)
        environment.setenv("CREDENTIALS_DIRECTORY", str(folder))
        return ANY.prepare(cloud, folder, environment)

    async with relay_for(replace(ANY, prepare=prepare), tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")]
        shown = await vault(here, "rotate")
        assert shown.code == 1
        assert "systemd credential vault.key is read-only here" in shown.err
        assert "old one as its second" in shown.err


async def test_everything_moves_to_a_keyring_and_back_while_the_relay_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desktop: Desktop
) -> None:
    async with relay_for(ANY, tmp_path, monkeypatch) as here:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.address)
        assert [event async for event in asked(here, "authorize", by="root")]
        there = await vault(here, "move", "--to", "secret-service")
        assert there.code == 0, there
        assert "moved from file to secret-service: website" in there.out
        assert 'backend = "secret-service"' in there.out
        assert secrets_of(tmp_path) == {}
        found = await status(here)
        assert found["status"] == "Authorized"
        assert found["vault"] == "secret-service (moved there)"
        with pytest.raises(VerbError, match="already"):
            assert [event async for event in asked(here, "vault-move", to="secret-service")]
        await one_message(here, ANY.mailbox)
        (back,) = [event async for event in asked(here, "vault-move", to="file")]
        assert (back["names"], len(secrets_of(tmp_path))) == (["website"], 1)


async def test_a_place_that_is_not_there_is_no_place_to_move_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay_for(ANY, tmp_path, monkeypatch) as here:
        assert [event async for event in asked(here, "authorize", by="root")]
        before = secrets_of(tmp_path)
        shown = await vault(here, "move", "--to", "secret-service")
        assert shown.code == 1
        assert "Secret Service" in shown.err
        assert secrets_of(tmp_path) == before
        assert (await graphrelay(here.config, "status")).code == 0
