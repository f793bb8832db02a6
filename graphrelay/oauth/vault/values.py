"""What is said of a vault without opening one. Nothing here imports keyring."""

from dataclasses import dataclass
from typing import Literal

BackendName = Literal["auto", "file", "secret-service", "keychain"]
Chosen = Literal["file", "secret-service", "keychain"]
"""By what `[vault]` says and the machine is."""
SERVICE = "graphrelay"
"""The service of every secret, as keyring has it."""


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where the secrets are."""

    name: Chosen | Literal["database"]
    why: str
    """Why it was taken."""
    key: str = ""
    """Where the key of encrypted secrets is."""

    @property
    def reason(self) -> str:
        return f"{self.why}; {self.key}" if self.key else self.why

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


@dataclass(frozen=True, slots=True)
class VaultContents:
    """The secrets by name, never their values."""

    place: VaultPlace
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VaultMoved:
    """The secrets of `names` were moved."""

    source: VaultPlace
    target: VaultPlace
    names: tuple[str, ...]
