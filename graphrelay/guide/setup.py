"""What is set up, as one value."""

from dataclasses import dataclass
from pathlib import Path

from graphrelay.config.settings import CloudTable
from graphrelay.oauth.scenario import Account, Application, Credential

NO_ID = "00000000-0000-0000-0000-000000000000"
"""In place of an id that is not known yet."""
DISPLAY_NAME = "graphrelay"
CONSOLE_REDIRECT = "http://localhost/sign-in/microsoft"
"""Where people who sign in to the console on this machine come back; Entra takes any port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One account in one cloud: what is registered in Entra ID."""

    account: Account
    cloud: CloudTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup(Registration):
    """The same, and where the relay listens and keeps its state."""

    listener: str
    allow_from: tuple[str, ...]
    """Empty: this machine only."""
    state_directory: Path


def credential_of(account: Account) -> Credential | None:
    """The application's credential; `None` where a person signs in."""
    scenario = account.scenario
    return scenario.credential if isinstance(scenario, Application) else None


def name_of(account: Account) -> str:
    """The application's name in Entra and in Exchange."""
    return f"{DISPLAY_NAME}-{account.name}"[:50]
