"""Moving secrets from one backend to another.

    copy each, and read it back ─▶ all there? ─▶ delete each from the old place

Nothing is deleted before everything is in the new place. A crash leaves each secret in one place
or in both; moving again completes the move. What changes in the old place meanwhile (a rotated
refresh token, a revoked authorization) is changed in the new one too, unless that was written to
since: the caller may already use the new place before the old one is cleared.
"""

from collections.abc import Callable, Iterable, Mapping

from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Decision, Keep, Put, Remove, Vault

TRIES = 3


def move(source: Vault, target: Vault, names: Iterable[str]) -> tuple[str, ...]:
    """Move the secrets of `names` that `source` has. Returns their names. Blocks; raises
    `VaultFailure`."""
    copied = copy(source, target, names)
    clear(source, target, copied)
    return tuple(copied)


def copy(source: Vault, target: Vault, names: Iterable[str]) -> Mapping[str, str]:
    """Copy the secrets of `names` that `source` has into `target`. Returns them by name."""
    copied = {}
    for name in names:
        secret = source.read(name)
        if secret is not None:
            target.change(name, _put(secret))
            copied[name] = secret
            if target.read(name) != secret:
                raise VaultFailure(
                    f"The new place did not store secret {name!r} unchanged.",
                    "It is still in the old place. Choose another backend.",
                )
    return copied


def clear(source: Vault, target: Vault, copied: Mapping[str, str]) -> None:
    """Delete from `source` what was `copied` from it."""
    for name, secret in copied.items():
        _clear(source, target, name, secret)


def _clear(source: Vault, target: Vault, name: str, copied: str) -> None:
    for _ in range(TRIES):
        now = source.read(name)
        if now != copied:
            target.change(name, _follow(copied, now))
        if now is None or isinstance(source.change(name, _remove_if(now)), Remove):
            return
        copied = now
    raise VaultFailure(
        f"Secret {name!r} changes faster than it can be moved.",
        "Stop graphrelay, then move it again.",
    )


def _follow(copied: str, now: str | None) -> Callable[[str | None], Decision]:
    """Follow the old place, unless the new one was written to since."""
    newer = Put(now) if now is not None else Remove()
    return lambda here: newer if here == copied else Keep()


def _put(secret: str) -> Callable[[str | None], Decision]:
    return lambda _: Put(secret)


def _remove_if(secret: str) -> Callable[[str | None], Decision]:
    return lambda now: Remove() if now == secret else Keep()
