"""Keeps authorizations in this process."""

from collections.abc import Callable

from graphrelay.clock import Clock
from graphrelay.oauth.authorization import Binding
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.grants import Grants
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.keeper import KeptAccount
from graphrelay.oauth.tokens.renewal import Renewal
from graphrelay.oauth.vault.admin import VaultAdmin
from graphrelay.oauth.vault.values import Chosen
from graphrelay.oauth.vault.vault import Vault


class KeeperHere:
    """A Keeper."""

    def __init__(
        self,
        cloud: TokenCloud,
        vault: Vault,
        http: Http,
        clock: Clock,
        another_vault: Callable[[Chosen], Vault],
    ) -> None:
        """`another_vault` opens the place that the secrets are moved to."""
        self.vault = VaultAdmin(vault, another_vault)
        self._cloud, self._vault, self._http, self._clock = cloud, vault, http, clock

    def of(self, account: Account) -> KeptAccount:
        grants = Grants(account, self._cloud, self._http, self._clock)
        binding = Binding.of(account, self._cloud)
        return KeptAccount(grants, Renewal(account, binding, grants, self._vault))

    def rest(self) -> None:
        """It takes nothing that it could give back."""

    def close(self) -> None:
        """What it has ends with the process."""
