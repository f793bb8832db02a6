"""Moving secrets: they are in the new place before they leave the old one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrelay.oauth.vault.choice import Choice
from graphrelay.oauth.vault.move import clear, copy, move
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.values import VaultPlace
from graphrelay.oauth.vault.vault import Put, Vault
from tests.oauth.vault.test_vault import Memory, put


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Memory, Vault, Memory, Vault]]:
    """Two backends of one relay: they share its lock."""
    one, two = Memory(), Memory()
    first = Vault(lambda: Choice(one, VaultPlace("file", "old")), tmp_path / "vault.lock")
    second = Vault(
        lambda: Choice(two, VaultPlace("secret-service", "new")), tmp_path / "vault.lock"
    )
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
    with pytest.raises(VaultFailure, match="did not store"):
        move(first, second, ["a"])
    assert one.secrets == {"a": "1"}


@pytest.mark.parametrize("when", [1, 2])
def test_a_secret_that_rolls_meanwhile_is_copied_again(
    places: Places, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    one, first, two, second = places
    put(first, "a", "old")
    read, left = first.read, when

    def roll_after(name: str) -> str | None:
        nonlocal left
        found, left = read(name), left - 1
        if left == 0:
            one.secrets["a"] = "new"
        return found

    monkeypatch.setattr(first, "read", roll_after)
    assert move(first, second, ["a"]) == ("a",)
    assert (one.secrets, two.secrets) == ({}, {"a": "new"})


def test_nothing_leaves_the_old_place_before_everything_is_in_the_new_one(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    put(first, "b", "2")
    keep = two.set_password

    def full(service: str, username: str, password: str) -> None:
        if username == "b":
            raise OSError(28, "No space left")
        keep(service, username, password)

    monkeypatch.setattr(two, "set_password", full)
    with pytest.raises(VaultFailure):
        move(first, second, ["a", "b"])
    assert one.secrets == {"a": "1", "b": "2"}
    monkeypatch.undo()
    assert move(first, second, ["a", "b"]) == ("a", "b")
    assert (one.secrets, two.secrets) == ({}, {"a": "1", "b": "2"})


def test_what_is_revoked_meanwhile_is_revoked_in_both(places: Places) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    copied = copy(first, second, ["a"])
    del one.secrets["a"]
    clear(first, second, copied)
    assert (one.secrets, two.secrets) == ({}, {})


def test_a_vault_that_moved_goes_by_the_new_place_and_gives_back_the_old(places: Places) -> None:
    one, first, two, second = places
    put(first, "a", "1")
    copied = copy(first, second, ["a"])
    old = first.become(second)
    put(first, "a", "2")
    assert (one.secrets, two.secrets) == ({"a": "1"}, {"a": "2"})
    assert (first.place().name, old.place().name) == ("secret-service", "file")
    clear(old, first, copied)
    old.close()
    assert (one.secrets, two.secrets) == ({}, {"a": "2"})


def test_names_are_listed_and_values_are_not(places: Places) -> None:
    _, first, _, _ = places
    first.change("a", lambda _: Put("geheim"))
    assert first.names(["a", "x"]) == ("a",)


def test_only_our_own_files_have_a_key_to_change(places: Places) -> None:
    with pytest.raises(VaultFailure, match="key of its own"):
        places[1].rotate()
