"""keyring's own backends for desktops, which other programs use too.

One thing is corrected: keyring 25 leaves its connection to the message bus open when the collection
is locked, so a daemon that tries again and again would accumulate connections.
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
        if collection.is_locked():  # The prompt was dismissed or not answered.
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
        _ = backend.priority  # This is how keyring asks a backend whether it works here.
    except RuntimeError as problem:
        raise VaultFailure(
            f"The {name} cannot be used here: {problem}.",
            'Start it, or set backend = "file" in the [vault] section.',
        ) from problem
    return backend()
