"""Moving secrets: they are in the new place before they leave the old one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrelay.oauth.vault import Vault, VaultFailure, move
from graphrelay.oauth.vault.choice import Choice
from graphrelay.oauth.vault.vault import Put
from tests.oauth.vault.test_vault import Memory, put


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Memory, Vault, Memory, Vault]]:
    """Two backends of one relay: they share its lock."""
    one, two = Memory(), Memory()
    first = Vault(lambda: Choice(one, "file", "old"), tmp_path / "vault.lock")
    second = Vault(lambda: Choice(two, "secret-service", "new"), tmp_path / "vault.lock")
    yield one, first, two, second
    first.close()
    second.close()


Places = tuple[Memory, Vault, Memory, Vault]


def test_every_secret_goes_and_is_gone_from_the_old_place(places: Places) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    put(first, "b", "2")
    assert move(first, second, first.names(["a", "b", "c"])) == ("a", "b")
    assert one.secrets == {}
    assert two.secrets == {"a": "1", "b": "2"}


def test_a_new_place_that_fails_keeps_the_old(places: Places) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    two.failure = OSError(5, "I/O")
    with pytest.raises(VaultFailure):
        move(first, second, ["a"])
    assert one.secrets == {"a": "1"}


def test_a_new_place_that_changes_what_it_keeps_is_found_out(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    monkeypatch.setattr(two, "get_password", lambda *_: "truncated")
    with pytest.raises(VaultFailure, match="did not keep"):
        move(first, second, ["a"])
    assert one.secrets == {"a": "1"}


def test_a_secret_that_rolls_meanwhile_is_copied_again(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, first, two, second = places
    put(first, "a", "old")
    rolls = iter(["new"])
    read = second.read

    def roll_once(name: str) -> str | None:
        if (newer := next(rolls, None)) is not None:
            one.secrets["a"] = newer
        return read(name)

    monkeypatch.setattr(second, "read", roll_once)
    assert move(first, second, ["a"]) == ("a",)
    assert (one.secrets, two.secrets) == ({}, {"a": "new"})


def test_names_are_told_and_values_are_not(places: Places) -> None:
    _, first, _, _ = places
    first.change("a", lambda _: Put("geheim"))
    assert first.names(["a", "x"]) == ("a",)


def test_only_our_own_files_have_a_key_to_change(places: Places) -> None:
    with pytest.raises(VaultFailure, match="key of its own"):
        places[1].rotate()
