"""The vault: one thread, a time limit, and no step between reading and writing."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError, PasswordDeleteError

from graphrelay.oauth.vault.choice import Choice
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.values import VaultPlace
from graphrelay.oauth.vault.vault import Decision, Keep, Put, Remove, Vault

MakeVault = Callable[[], Vault]


class Memory(KeyringBackend):
    """A keyring in memory that can be made to fail."""

    priority = 0.1

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.failure: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.threads: set[str] = set()

    def _enter(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.hold.wait()
        if self.failure is not None:
            raise self.failure

    def get_password(self, service: str, username: str) -> str | None:
        self._enter()
        return self.secrets.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._enter()
        self.secrets[username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._enter()
        if self.secrets.pop(username, None) is None:
            raise PasswordDeleteError("none")


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def vault(memory: Memory, tmp_path: Path) -> Iterator[Vault]:
    choice = Choice(memory, VaultPlace("secret-service", "for a test"))
    vault = Vault(lambda: choice, tmp_path / "vault.lock", timedelta(seconds=5))
    yield vault
    memory.hold.set()
    vault.close()


def put(vault: Vault, name: str, secret: str) -> None:
    vault.change(name, lambda _: Put(secret))


def test_a_change_sees_what_is_there(vault: Vault) -> None:
    put(vault, "a", "one")
    seen: list[str | None] = []

    def decide(secret: str | None) -> Decision:
        seen.append(secret)
        return Put("two")

    assert vault.change("a", decide) == Put("two")
    assert seen == ["one"]
    assert vault.read("a") == "two"


def test_keep_leaves_and_remove_removes(vault: Vault) -> None:
    put(vault, "a", "one")
    assert vault.change("a", lambda _: Keep()) == Keep()
    assert vault.read("a") == "one"
    assert vault.change("a", lambda _: Remove()) == Remove()
    assert vault.read("a") is None


def test_removing_what_is_not_there_is_fine(vault: Vault) -> None:
    assert vault.change("a", lambda _: Remove()) == Remove()


def test_one_thread_does_everything(vault: Vault, memory: Memory) -> None:
    put(vault, "a", "one")
    vault.read("a")
    assert memory.threads == {"vault"}


def test_a_locked_keyring_says_how_to_unlock_it(vault: Vault, memory: Memory) -> None:
    memory.failure = KeyringLocked("locked")
    with pytest.raises(VaultFailure, match="is locked") as caught:
        vault.read("a")
    assert 'backend = "file"' in caught.value.remedy
    memory.failure = None
    assert vault.read("a") is None


@pytest.mark.parametrize("failure", [NoKeyringError("none"), OSError(5, "I/O"), KeyError("x")])
def test_whatever_a_backend_raises_ends_here(
    vault: Vault, memory: Memory, failure: Exception
) -> None:
    memory.failure = failure
    with pytest.raises(VaultFailure, match="keyring failed"):
        put(vault, "a", "one")


def test_a_keyring_that_does_not_answer_is_given_up(memory: Memory, tmp_path: Path) -> None:
    choice = Choice(memory, VaultPlace("secret-service", "for a test"))
    vault = Vault(lambda: choice, tmp_path / "lock", timedelta(milliseconds=50))
    memory.hold.clear()
    with pytest.raises(VaultFailure, match="did not answer"):
        vault.read("a")
    with pytest.raises(VaultFailure, match="did not answer"):
        put(vault, "a", "late")
    memory.hold.set()
    vault.close()


def test_what_was_given_up_before_it_began_is_never_done(memory: Memory, tmp_path: Path) -> None:
    choice = Choice(memory, VaultPlace("secret-service", "for a test"))
    vault = Vault(lambda: choice, tmp_path / "lock", timedelta(milliseconds=50))
    memory.hold.clear()
    for secret in ("first", "second"):
        with pytest.raises(VaultFailure):
            put(vault, "a", secret)
    memory.hold.set()
    patient = Vault(lambda: choice, tmp_path / "lock", timedelta(seconds=5))
    put(patient, "a", "third")
    vault.close()
    patient.close()
    assert memory.secrets["a"] != "second"


def test_many_processes_count_without_losing_one(make_vault: MakeVault) -> None:
    """Each vault has a thread and a lock file of its own, as each process has."""
    vaults = [make_vault() for _ in range(4)]

    def count(vault: Vault) -> None:
        for _ in range(25):
            vault.change("n", lambda text: Put(str(int(text or "0") + 1)))

    threads = [threading.Thread(target=count, args=(vault,)) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert make_vault().read("n") == "100"


async def test_it_says_which_backend_and_why(make_vault: MakeVault, tmp_path: Path) -> None:
    assert make_vault().describe() == f"file (configured; key file {tmp_path / 'vault.key'})"


async def test_it_says_what_is_wrong_with_it(make_vault: MakeVault, tmp_path: Path) -> None:
    (tmp_path / "vault.key").write_bytes(b"x")
    assert "is not a key" not in make_vault().describe()
    (tmp_path / "vault.key").chmod(0o600)
    assert "is not a key" in make_vault().describe()


def test_a_vault_that_was_repaired_works_again(make_vault: MakeVault, tmp_path: Path) -> None:
    (tmp_path / "vault.key").write_bytes(b"x")
    (tmp_path / "vault.key").chmod(0o600)
    vault = make_vault()
    with pytest.raises(VaultFailure):
        vault.read("a")
    (tmp_path / "vault.key").unlink()
    assert vault.read("a") is None


def test_a_secret_is_in_no_repr() -> None:
    assert "geheim" not in repr(Put("geheim"))
