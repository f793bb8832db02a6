"""keyring's own backends for desktops, opened for us: the ones that other programs use too.

What is mended here: keyring 25 leaves its connection to the message bus open when the collection
is locked, so a daemon that looks again and again would gather them.
"""

from collections.abc import Callable
from typing import Any

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked

from graphrelay.oauth.vault.problem import VaultFailure


def secret_service() -> KeyringBackend:
    """The Secret Service of the desktop session (GNOME Keyring, KWallet, KeePassXC)."""
    import secretstorage
    from keyring.backends import SecretService

    class ClosingSecretService(SecretService.Keyring):
        """Closes its connection when it cannot use it."""

        def get_preferred_collection(self) -> Any:
            connection = secretstorage.dbus_init()
            try:
                return _unlocked(secretstorage.get_default_collection(connection))
            except secretstorage.exceptions.SecretStorageException as problem:
                connection.close()
                raise InitError(f"{problem}.") from problem
            except BaseException:
                connection.close()
                raise

    return _viable(ClosingSecretService, "Secret Service")


def _unlocked(collection: Any) -> Any:
    if collection.is_locked():
        collection.unlock()
        if collection.is_locked():  # Nobody answered the prompt, or said no.
            raise KeyringLocked("the collection is locked")
    return collection


def keychain() -> KeyringBackend:
    """The macOS Keychain."""
    from keyring.backends import macOS

    return _viable(macOS.Keyring, "macOS Keychain")


DESKTOPS: dict[str, Callable[[], KeyringBackend]] = {
    "secret-service": secret_service,
    "keychain": keychain,
}


def _viable(backend: type[KeyringBackend], name: str) -> KeyringBackend:
    try:
        _ = backend.priority  # It is how keyring asks a backend whether it can work here.
    except RuntimeError as problem:
        raise VaultFailure(
            f"The {name} cannot be used here: {problem}.",
            'Start it, or set backend = "file" in the [vault] section.',
        ) from problem
    return backend()
