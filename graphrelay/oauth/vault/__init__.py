"""Where secrets are stored: one interface (keyring's), several places, and never plain text.

TokenManager ── read, change ──▶ Vault ── one thread, one lock ──▶ keyring backend
                                                                   ├ EncryptedFiles (ours)
                                                                   ├ the same in the database of
                                                                   │ several relays (ours)
                                                                   ├ Secret Service
                                                                   └ macOS Keychain
"""
