"""Where secrets are stored: one interface (keyring's), several places, and never plain text.

TokenManager ── read, change ──▶ Vault ── one thread, one lock ──▶ keyring backend
                                                                   ├ EncryptedFiles (ours)
                                                                   ├ the same in the database of
                                                                   │ several relays (ours)
                                                                   ├ Secret Service
                                                                   └ macOS Keychain
"""

from graphrelay.oauth.vault.move import clear, copy, move
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.shared import open_shared_vault
from graphrelay.oauth.vault.vault import Vault, open_vault

__all__ = [
    "Vault",
    "VaultFailure",
    "clear",
    "copy",
    "move",
    "open_shared_vault",
    "open_vault",
]
