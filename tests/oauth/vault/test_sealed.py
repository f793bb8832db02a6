"""Secrets that are sealed before a store gets them; tests of the format are in test_files.py."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from graphrelay.oauth.vault.key import VaultKeys
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.sealed import SealedSecrets

OLD, NEW = b"o" * 32, b"n" * 32


class Shelf:
    """A store that several hosts use."""

    other_key_remedy = "Give this host the key."
    shared = True

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def called(self, service: str, username: str) -> str:
        return f"The secret {username!r}"

    def read(self, service: str, username: str) -> bytes | None:
        return self.kept.get((service, username))

    def replace(self, service: str, username: str, octets: bytes) -> None:
        self.kept[service, username] = octets

    def remove(self, service: str, username: str) -> bool:
        return self.kept.pop((service, username), None) is not None

    def names(self, service: str) -> Iterator[str]:
        return iter(sorted(name for kind, name in self.kept if kind == service))

    def turn(self, service: str, username: str) -> AbstractContextManager[None]:
        return nullcontext()


def host(shelf: Shelf, key: bytes, *older: bytes) -> SealedSecrets:
    return SealedSecrets(shelf, lambda: VaultKeys(key, older, "key file"))


def test_nothing_of_a_secret_is_readable_in_the_store() -> None:
    shelf = Shelf()
    host(shelf, OLD).set_password("s", "website", "refresh token")
    [octets] = shelf.kept.values()
    assert b"refresh" not in octets
    assert host(shelf, OLD).get_password("s", "website") == "refresh token"


def test_another_key_is_reported_with_what_the_store_advises() -> None:
    shelf = Shelf()
    host(shelf, OLD).set_password("s", "website", "x")
    with pytest.raises(VaultFailure, match="another key than the key file") as caught:
        host(shelf, NEW).get_password("s", "website")
    assert caught.value.remedy == "Give this host the key."


def test_no_new_key_is_made_where_other_hosts_would_lack_it() -> None:
    shelf = Shelf()
    host(shelf, OLD).set_password("s", "website", "x")
    with pytest.raises(VaultFailure, match="missing elsewhere"):
        host(shelf, OLD).rotate("s")
    assert host(shelf, OLD).get_password("s", "website") == "x"


def test_rotating_uses_the_key_that_every_host_was_given_before() -> None:
    shelf = Shelf()
    host(shelf, OLD).set_password("s", "website", "x")
    host(shelf, OLD).set_password("check", "x", "y")
    assert host(shelf, NEW, OLD).rotate("s", "check") == 2
    after = host(shelf, NEW)
    assert (after.get_password("s", "website"), after.get_password("check", "x")) == ("x", "y")
