"""Long secrets in pieces: a crash at any step leaves the old one or the new one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from graphrelay.oauth.vault.pieces import PIECE, InPieces
from graphrelay.oauth.vault.problem import VaultFailure

PIECE_HERE = 10


class Crash(BaseException):
    """The power went out."""


class Locker(KeyringBackend):
    """As Windows has it: by target, short secrets only; and it can die at a given step."""

    priority = 0.1

    def __init__(self, limit: int = 1_280) -> None:
        self.limit = limit
        self.kept: dict[tuple[str, str], str] = {}
        self.steps_left = 10_000

    def _step(self) -> None:
        if self.steps_left == 0:
            raise Crash
        self.steps_left -= 1

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password) > self.limit:
            raise OSError("the stub received bad data")
        self._step()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._step()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@given(st.text(max_size=100))
def test_any_secret_comes_back(secret: str) -> None:
    pieces = InPieces(Locker(), PIECE_HERE)
    pieces.set_password("s", "n", secret)
    assert pieces.get_password("s", "n") == secret


def test_a_real_authorization_fits_into_windows() -> None:
    locker = Locker()
    pieces = InPieces(locker)
    pieces.set_password("s", "n", "x" * 9_000)
    assert pieces.get_password("s", "n") == "x" * 9_000
    assert max(map(len, locker.kept.values())) <= PIECE


@given(old=st.text("o", max_size=45), new=st.text("n", min_size=1, max_size=45))
def test_a_crash_at_any_step_leaves_the_old_or_the_new(old: str, new: str) -> None:
    for step in range(15):
        locker = Locker()
        pieces = InPieces(locker, PIECE_HERE)
        pieces.set_password("s", "n", old)
        locker.steps_left = step
        try:
            pieces.set_password("s", "n", new)
        except Crash:
            assert pieces.get_password("s", "n") in (old, new)
        locker.steps_left = 10_000
        pieces.set_password("s", "n", new)
        assert pieces.get_password("s", "n") == new


@given(st.lists(st.text("abc", max_size=60), min_size=1, max_size=5))
def test_nothing_is_left_over(secrets: list[str]) -> None:
    locker = Locker()
    pieces = InPieces(locker, PIECE_HERE)
    for secret in secrets:
        pieces.set_password("s", "n", secret)
    needed = -(-len(secrets[-1]) // PIECE_HERE)
    assert len(locker.kept) == needed + 1
    pieces.delete_password("s", "n")
    assert locker.kept == {}


def test_a_piece_that_is_missing_is_found_out() -> None:
    locker = Locker()
    pieces = InPieces(locker, PIECE_HERE)
    pieces.set_password("s", "n", "x" * 25)
    del locker.kept["s:n/a/1", "s"]
    with pytest.raises(VaultFailure, match="do not fit together"):
        pieces.get_password("s", "n")


def test_each_piece_is_a_target_of_its_own() -> None:
    """keyring moves credentials that share a target about, which is no atomic step."""
    locker = Locker()
    pieces = InPieces(locker, PIECE_HERE)
    pieces.set_password("s", "one", "x" * 25)
    pieces.set_password("s", "two", "y" * 25)
    assert len({target for target, _ in locker.kept}) == len(locker.kept) == 8


def test_deleting_what_is_not_there_is_said_as_keyring_says_it() -> None:
    with pytest.raises(PasswordDeleteError):
        InPieces(Locker()).delete_password("s", "n")
