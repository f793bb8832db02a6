"""Moving secrets from one backend to another.

Each secret is written to the new place, read back, and only then deleted from the old one. A crash
leaves it in one place or in both; moving again ends what was begun. If the old one changes
meanwhile (a refresh token rolled), it is copied again.
"""

from collections.abc import Callable, Iterable

from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Decision, Keep, Put, Remove, Vault

TRIES = 3


def move(source: Vault, target: Vault, names: Iterable[str]) -> tuple[str, ...]:
    """Move what `source` has of `names`; which there were. Blocks; raises `VaultFailure`."""
    return tuple(name for name in names if _moved(source, target, name))


def _moved(source: Vault, target: Vault, name: str) -> bool:
    for _ in range(TRIES):
        secret = source.read(name)
        if secret is None:
            return False
        target.change(name, _put(secret))
        if target.read(name) != secret:
            raise VaultFailure(
                f"The new place did not keep secret {name!r} as it was.",
                "It is still in the old place. Choose another backend.",
            )
        if isinstance(source.change(name, _remove_if(secret)), Remove):
            return True
    raise VaultFailure(
        f"Secret {name!r} changes faster than it can be moved.",
        "Stop graphrelay, then move it again.",
    )


def _put(secret: str) -> Callable[[str | None], Decision]:
    return lambda _: Put(secret)


def _remove_if(secret: str) -> Callable[[str | None], Decision]:
    return lambda now: Remove() if now == secret else Keep()
