"""Secrets that are longer than their keyring allows, kept in pieces.

Windows' Credential Locker takes 2,560 octets a secret, which it writes as UTF-16: 1,280
characters. So a long secret is cut, and a manifest at its own name says how many pieces there are
and what they must add up to. Two sets of pieces take turns: the new set is whole before the
manifest points at it, so a crash leaves the old secret or the new one, never a mixture.

    name      {"pieces": 3, "set": "b", "sha256": "…"}       written last
    name/b/0  name/b/1  name/b/2                             written first
"""

import hashlib
import json
from dataclasses import dataclass

from keyring.backend import KeyringBackend

from graphrelay.oauth.vault.problem import VaultFailure

PIECE = 1_200
"""Characters; what keyring's own documentation found to fit."""
MARK = "graphrelay-pieces:"
OTHER_SET = {"a": "b", "b": "a"}


@dataclass(frozen=True, slots=True)
class _Manifest:
    pieces: int
    set: str
    sha256: str

    @classmethod
    def read(cls, text: str | None) -> "_Manifest | None":
        if text is None or not text.startswith(MARK):
            return None
        fields = json.loads(text.removeprefix(MARK))
        return cls(int(fields["pieces"]), str(fields["set"]), str(fields["sha256"]))

    def text(self) -> str:
        fields = {"pieces": self.pieces, "set": self.set, "sha256": self.sha256}
        return MARK + json.dumps(fields)


class InPieces(KeyringBackend):
    """Any backend, without its limit of length."""

    priority = 0.1

    def __init__(self, backend: KeyringBackend, piece: int = PIECE) -> None:
        self._backend = backend
        self._piece = piece

    def get_password(self, service: str, username: str) -> str | None:
        for _ in range(2):  # Once more if it was replaced between two of our reads.
            text = self._get(service, username)
            manifest = _Manifest.read(text)
            if manifest is None:
                return text
            secret = self._joined(service, username, manifest)
            if secret is not None:
                return secret
        raise VaultFailure(
            f"The pieces of secret {username!r} do not fit together.",
            "Authorize the account again.",
        )

    def set_password(self, service: str, username: str, password: str) -> None:
        old = _Manifest.read(self._get(service, username))
        turn = OTHER_SET[old.set] if old else "a"
        cuts = range(0, len(password), self._piece)
        pieces = [password[at : at + self._piece] for at in cuts]
        for number, piece in enumerate(pieces):
            self._set(service, f"{username}/{turn}/{number}", piece)
        digest = hashlib.sha256(password.encode()).hexdigest()
        self._set(service, username, _Manifest(len(pieces), turn, digest).text())
        self._clear(service, username, turn, len(pieces))
        self._clear(service, username, OTHER_SET[turn], 0)

    def delete_password(self, service: str, username: str) -> None:
        self._delete(service, username)
        for turn in OTHER_SET:
            self._clear(service, username, turn, 0)

    def _joined(self, service: str, username: str, manifest: _Manifest) -> str | None:
        found = [
            self._get(service, f"{username}/{manifest.set}/{number}")
            for number in range(manifest.pieces)
        ]
        secret = "".join(piece or "" for piece in found)
        same = hashlib.sha256(secret.encode()).hexdigest() == manifest.sha256
        return secret if same else None

    def _clear(self, service: str, username: str, turn: str, start: int) -> None:
        """Delete what is left of an older secret, or of a crash."""
        number = start
        while self._get(service, f"{username}/{turn}/{number}") is not None:
            self._delete(service, f"{username}/{turn}/{number}")
            number += 1

    # Each piece is a target of its own: Windows keys its credentials by target, and keyring would
    # move those that share one about.

    def _get(self, service: str, name: str) -> str | None:
        return self._backend.get_password(f"{service}:{name}", service)

    def _set(self, service: str, name: str, text: str) -> None:
        self._backend.set_password(f"{service}:{name}", service, text)

    def _delete(self, service: str, name: str) -> None:
        self._backend.delete_password(f"{service}:{name}", service)
