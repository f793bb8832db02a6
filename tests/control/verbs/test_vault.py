"""The vault's verbs: names, never values."""

from pathlib import Path

import pytest

from graphrelay.control.verb import Output, VerbError
from graphrelay.control.verbs.vault import VaultVerbs
from graphrelay.journal import Journal
from graphrelay.oauth.vault.key import new_key_text
from graphrelay.oauth.vault.shared import open_shared_vault
from tests.clock import FakeClock
from tests.oauth.conftest import World, clock, files_only, world  # noqa: F401 (fixtures)
from tests.oauth.vault.test_shared import given
from tests.spool.postgres.relays import a_relay


async def nobody(what: str) -> str:
    raise AssertionError(f"asked for {what}")


@pytest.fixture
async def verbs(world: World) -> VaultVerbs:  # noqa: F811
    manager = world.manager()
    await world.authorize(manager)
    return VaultVerbs(manager, "file")


async def asked(verbs: VaultVerbs, verb: str, **arguments: object) -> list[Output]:
    return [event async for event in verbs.table()[verb](arguments, nobody)]


async def test_a_list_has_the_place_and_the_names(verbs: VaultVerbs) -> None:
    place, *secrets = await asked(verbs, "vault-list")
    assert (place["kind"], place["backend"]) == ("vault", "file")
    assert [(one["name"], one["configured"]) for one in secrets] == [("website", True)]


async def test_a_new_key_encrypts_every_secret(verbs: VaultVerbs) -> None:
    assert await asked(verbs, "vault-rotate") == [{"kind": "rotated", "secrets": 1}]


async def test_a_move_to_the_same_backend_is_refused(verbs: VaultVerbs) -> None:
    with pytest.raises(VerbError, match="already"):
        await asked(verbs, "vault-move", to="file")


async def test_an_unknown_backend_names_those_that_there_are(verbs: VaultVerbs) -> None:
    with pytest.raises(VerbError, match="one of file, secret-service, keychain"):
        await asked(verbs, "vault-move", to="paper")


async def test_a_vault_that_relays_share_is_not_moved(
    database: str,
    clock: FakeClock,  # noqa: F811
    world: World,  # noqa: F811
    tmp_path: Path,
) -> None:
    async with a_relay(database, clock, Journal(clock)) as spool:
        state = given(tmp_path / "a", new_key_text())
        manager = world.manager(vault=open_shared_vault(state, spool.secrets, files_only(state)))
        verbs = VaultVerbs(manager, "auto")
        with pytest.raises(VerbError, match="every relay needs it"):
            await asked(verbs, "vault-move", to="file")
        place, *_ = await asked(verbs, "vault-list")
        assert place["backend"] == "database"
        await manager.aclose()
