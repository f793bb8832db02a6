"""Sealed secrets as files: one for each secret, in a directory that only the relay may enter."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import quote, unquote

from graphrelay.oauth.vault.disk import read_file, remove_file, replace_file
from graphrelay.oauth.vault.key import VaultKeys
from graphrelay.oauth.vault.sealed import SealedSecrets

SUFFIX = ".secret"


class Folder:
    """sealed.Store."""

    other_key_remedy = "Put the old key back, or authorize the account again."
    shared = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def called(self, service: str, username: str) -> str:
        return f"The vault file {self._path(service, username)}"

    def read(self, service: str, username: str) -> bytes | None:
        return read_file(self._path(service, username))

    def replace(self, service: str, username: str, octets: bytes) -> None:
        replace_file(self._path(service, username), octets)

    def remove(self, service: str, username: str) -> bool:
        return remove_file(self._path(service, username))

    def names(self, service: str) -> Iterator[str]:
        prefix = f"{quote(service, safe='')}+"
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            if path.name.startswith(prefix):
                yield unquote(path.name[len(prefix) : -len(SUFFIX)])

    def turn(self, service: str, username: str) -> AbstractContextManager[None]:
        """Only one relay uses it."""
        return nullcontext()

    def _path(self, service: str, username: str) -> Path:
        return self.directory / f"{quote(service, safe='')}+{quote(username, safe='')}{SUFFIX}"


class EncryptedFiles(SealedSecrets):
    """A keyring backend under `directory`."""

    def __init__(self, directory: Path, load_keys: Callable[[], VaultKeys]) -> None:
        super().__init__(Folder(directory), load_keys)
        self.directory = directory
