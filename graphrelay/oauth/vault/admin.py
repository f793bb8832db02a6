"""What an admin does to the vault: names, never values."""

from collections.abc import Callable, Collection

from graphrelay.oauth.vault.move import clear, copy
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.values import Chosen, VaultContents, VaultMoved, VaultPlace
from graphrelay.oauth.vault.vault import Vault


class VaultAdmin:
    """Takes and gives plain values only. Its methods block, and raise `VaultFailure`."""

    def __init__(self, vault: Vault, open_: Callable[[Chosen], Vault]) -> None:
        """`open_` opens another place."""
        self._vault = vault
        self._open = open_

    def describe(self) -> str:
        """Which backend, and why; or what is wrong with it. Raises nothing."""
        return self._vault.describe()

    def chosen(self) -> VaultPlace | None:
        """Which backend, if one has been opened. Asks nothing."""
        return self._vault.chosen()

    def contents(self, configured: Collection[str]) -> VaultContents:
        """A desktop keyring is only asked for the secrets of `configured`."""
        return VaultContents(self._vault.place(), self._vault.names(configured))

    def rotate(self) -> int:
        """Change the key of the encrypted secrets. Returns the number of secrets."""
        return self._vault.rotate()

    def move(self, to: Chosen, configured: Collection[str]) -> VaultMoved:
        """Everything is in the new place before the relay uses it, and only then deleted from the
        old one."""
        vault, target = self._vault, self._open(to)
        try:
            here, there = vault.place(), target.place()
            if here.name == "database":
                raise VaultFailure(
                    "the vault is in the database of [spool] url, where every relay needs it:",
                    "it cannot be moved",
                )
            if here.name == there.name:
                raise VaultFailure(f"the vault is {here} already", "")
            copied = copy(vault, target, vault.names(configured))
            old = vault.become(target)
            try:
                clear(old, vault, copied)
            finally:
                old.close()
        finally:
            target.close()
        return VaultMoved(here, there, tuple(copied))
