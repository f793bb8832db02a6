"""Who keeps authorizations: reads and writes the vault, and asks Entra.

    TokenManager ── thread ──▶ Keeper ──┬─▶ KeeperHere     in this process
                                        └─▶ KeeperApart    in one of its own (daemon/)

Nothing here imports msal, httpx, keyring or cryptography, so that a process need not have them for
what another one does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from graphrelay.oauth.scenario import Account

if TYPE_CHECKING:
    from graphrelay.oauth.entra.grants import Grants
    from graphrelay.oauth.tokens.renewal import Renewal
    from graphrelay.oauth.vault.admin import VaultAdmin


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """What can be done with one account's authorization."""

    grants: "Grants"
    renewal: "Renewal"


class KeeperBroke(Exception):  # noqa: N818 (a mistake of ours, elsewhere)
    """An exception in another process. The text is its type, since its own may quote a secret."""


class Keeper(Protocol):
    """Used by one thread: what `of` and `vault` give blocks. `of` does not."""

    @property
    def vault(self) -> "VaultAdmin": ...

    def of(self, account: Account) -> KeptAccount: ...

    def rest(self) -> None:
        """There is nothing to do for a while."""
        ...

    def close(self) -> None: ...
