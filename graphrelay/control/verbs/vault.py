"""The verbs about the vault: `vault-list`, `vault-rotate`, `vault-move`. Names, never values.

They run in the thread that renews authorizations, in turn with it: a refresh token that is replaced
meanwhile is neither overwritten nor left behind.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.values import BackendName, Chosen

if TYPE_CHECKING:
    from graphrelay.oauth.vault.admin import VaultAdmin

T = TypeVar("T")


class VaultVerbs:
    """Over the vault of the process's one TokenManager."""

    def __init__(self, tokens: TokenManager, configured: BackendName) -> None:
        """`configured` is what `[vault] backend` says."""
        self._tokens = tokens
        self._configured = configured

    def table(self) -> dict[str, Verb]:
        return {
            "vault-list": self._list,
            "vault-rotate": self._rotate,
            "vault-move": self._move,
        }

    async def _list(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        known = self._names()
        found = await self._with(lambda vault: vault.contents(known))
        yield {"kind": "vault", "backend": found.place.name, "reason": found.place.reason}
        for name in found.names:
            yield {"kind": "secret", "name": name, "configured": name in known}

    async def _rotate(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        yield {"kind": "rotated", "secrets": await self._with(lambda vault: vault.rotate())}

    async def _move(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        to = _backend(arguments.get("to"))
        known = self._names()
        moved = await self._with(lambda vault: vault.move(to, known))
        yield {
            "kind": "moved",
            "from": moved.source.name,
            "to": moved.target.name,
            "names": list(moved.names),
            "configured": self._configured == to,
        }

    def _names(self) -> set[str]:
        return {account.name for account in self._tokens.accounts}

    async def _with(self, work: Callable[["VaultAdmin"], T]) -> T:
        try:
            return await self._tokens.with_vault(work)
        except VaultFailure as failure:
            raise VerbError(str(failure)) from failure


def _backend(name: object) -> Chosen:
    for backend in get_args(Chosen):
        if backend == name:
            return backend  # type: ignore[no-any-return]
    raise VerbError(f"a backend is one of {', '.join(get_args(Chosen))}, not {name!r}")
