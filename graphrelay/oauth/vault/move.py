"""Moving secrets from one backend to another.

    copy each, and read it back ─▶ all there? ─▶ delete each from the old place

Nothing is deleted before everything is in the new place. A crash leaves each secret in one place
or in both; moving again ends what was begun. What changes in the old place meanwhile (a refresh
token rolled, an authorization was revoked) changes in the new one, unless that is newer already:
whoever moves may go by the new place before the old one is cleared.
"""

from collections.abc import Callable, Iterable, Mapping

from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Decision, Keep, Put, Remove, Vault

TRIES = 3


def move(source: Vault, target: Vault, names: Iterable[str]) -> tuple[str, ...]:
    """Move what `source` has of `names`; which there were. Blocks; raises `VaultFailure`."""
    copied = copy(source, target, names)
    clear(source, target, copied)
    return tuple(copied)


def copy(source: Vault, target: Vault, names: Iterable[str]) -> Mapping[str, str]:
    """Put what `source` has of `names` into `target` as well; all of it, by name."""
    copied = {}
    for name in names:
        secret = source.read(name)
        if secret is not None:
            target.change(name, _put(secret))
            copied[name] = secret
            if target.read(name) != secret:
                raise VaultFailure(
                    f"The new place did not keep secret {name!r} as it was.",
                    "It is still in the old place. Choose another backend.",
                )
    return copied


def clear(source: Vault, target: Vault, copied: Mapping[str, str]) -> None:
    """Delete from `source` what was `copied` from there."""
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
    """Be what it is now in the old place, unless somebody wrote here since."""
    newer = Put(now) if now is not None else Remove()
    return lambda here: newer if here == copied else Keep()


def _put(secret: str) -> Callable[[str | None], Decision]:
    return lambda _: Put(secret)


def _remove_if(secret: str) -> Callable[[str | None], Decision]:
    return lambda now: Remove() if now == secret else Keep()
