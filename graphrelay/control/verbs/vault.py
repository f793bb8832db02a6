"""The verbs about the vault: `vault-list`, `vault-rotate`, `vault-move`. Names, never values.

They run in the thread that renews authorizations, in turn with it: a refresh token that is replaced
meanwhile is neither overwritten nor left behind.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar, get_args

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.choice import BackendName, Chosen
from graphrelay.oauth.vault.move import clear, copy
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Vault

T = TypeVar("T")


class VaultVerbs:
    """Over the vault of the process's one TokenManager."""

    def __init__(
        self, tokens: TokenManager, configured: BackendName, open_: Callable[[Chosen], Vault]
    ) -> None:
        """`configured` is what `[vault] backend` says; `open_` opens another place."""
        self._tokens = tokens
        self._configured = configured
        self._open = open_

    def table(self) -> dict[str, Verb]:
        return {
            "vault-list": self._list,
            "vault-rotate": self._rotate,
            "vault-move": self._move,
        }

    async def _list(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        known = self._names()

        def look(vault: Vault) -> tuple[str, str, tuple[str, ...]]:
            place = vault.place()
            return place.name, place.reason, vault.names(known)

        backend, reason, names = await self._with(look)
        yield {"kind": "vault", "backend": backend, "reason": reason}
        for name in names:
            yield {"kind": "secret", "name": name, "configured": name in known}

    async def _rotate(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        yield {"kind": "rotated", "secrets": await self._with(lambda vault: vault.rotate())}

    async def _move(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        to = _backend(arguments.get("to"))
        known = self._names()
        target = self._open(to)
        try:
            event = await self._with(lambda vault: _moved(vault, target, known))
        finally:
            target.close()
        yield event | {"kind": "moved", "configured": self._configured == to}

    def _names(self) -> set[str]:
        return {account.name for account in self._tokens.accounts}

    async def _with(self, work: Callable[[Vault], T]) -> T:
        try:
            return await self._tokens.with_vault(work)
        except VaultFailure as failure:
            raise VerbError(f"{failure.reason} {failure.remedy}") from failure


def _backend(name: object) -> Chosen:
    for backend in get_args(Chosen):
        if backend == name:
            return backend  # type: ignore[no-any-return]
    raise VerbError(f"a backend is one of {', '.join(get_args(Chosen))}, not {name!r}")


def _moved(vault: Vault, target: Vault, known: set[str]) -> Output:
    """Everything is in the new vault before the relay uses it, and only then deleted from the old
    one."""
    here, there = vault.place(), target.place()
    if here.name == "database":
        raise VerbError(
            "the vault is in the database of [spool] url, where every relay needs it: it cannot be "
            "moved"
        )
    if here.name == there.name:
        raise VerbError(f"the vault is {here} already")
    copied = copy(vault, target, vault.names(known))
    old = vault.become(target)
    try:
        clear(old, vault, copied)
    finally:
        old.close()
    return {"from": here.name, "to": there.name, "names": list(copied)}
