"""Configurations made by `graphrelay init` with options and answers."""

from datetime import datetime
from pathlib import Path

from click.testing import CliRunner, Result

from graphrelay.cli import cli
from graphrelay.config import Settings, load
from graphrelay.daemon import wiring
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    ClientSecret,
)

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
IDS = ["--tenant", "contoso.com", "--client-id", CLIENT]
USER = ["--scenario", "user", "--username", "wp@contoso.com"]
PERSONAL = ["--scenario", "personal", "--username", "me@outlook.com"]
APPLICATION = ["--mailbox", "info@contoso.com", "--mailbox", "*@contoso.com"]


def init(directory: Path, *options: str, answers: str = "") -> Result:
    path = str(directory / "config.toml")
    return CliRunner().invoke(cli, ["--config", path, "init", *options], input=answers)


def made(directory: Path, *options: str) -> tuple[Settings, str]:
    """The resulting settings, and what was shown."""
    shown = init(directory, "--yes", *options)
    assert shown.exit_code == 0, shown.output
    path = directory / "config.toml"
    checked = CliRunner().invoke(cli, ["--config", str(path), "check-config"])
    assert checked.exit_code == 0, checked.output
    return load(path), shown.output


def account(settings: Settings) -> Account:
    (only,) = wiring.accounts(settings)
    return only


def end_of_secret(settings: Settings) -> datetime | None:
    scenario = account(settings).scenario
    assert isinstance(scenario, AnyUser)
    assert isinstance(scenario.credential, ClientSecret)
    return scenario.credential.ends_at
