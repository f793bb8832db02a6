"""Accounts in files of their own: `accounts.d/NAME.toml` beside the configuration file.

    config.toml               everything, with or without accounts
    accounts.d/website.toml   [accounts.website], as it would stand in config.toml, nothing else

So a program can add an account without editing the file of the administrator. An account is in one
place only: nothing overrides anything. Files whose names begin with a dot or do not end in .toml
are not looked at (drafts, and secrets that belong to an account).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graphrelay.config.locate import Key

DIRECTORY = "accounts.d"
SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class AccountFile:
    """The file of one account."""

    path: Path
    text: str = ""

    @property
    def name(self) -> str:
        """The account's."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def shown(self) -> str:
        """The file, as messages about the configuration call it."""
        return f"{DIRECTORY}/{self.path.name}"

    def with_text(self, text: str) -> "AccountFile":
        return replace(self, text=text)


def file_of(config: Path, account: str) -> AccountFile:
    """Where the file of `account` belongs, whether or not it exists."""
    return AccountFile(config.parent / DIRECTORY / f"{account}{SUFFIX}")


def files_beside(config: Path) -> tuple[AccountFile, ...]:
    """Those that exist, by name; without their text. Raises `OSError`."""
    try:
        found = sorted((config.parent / DIRECTORY).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(
        AccountFile(one)
        for one in found
        if one.name.endswith(SUFFIX) and not one.name.startswith(".")
    )


def merged(
    config: Path, written: dict[str, Any], own: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[Key, str]]]:
    """`written` in the main file with the accounts of their `own` files, and what must not be in
    these."""
    accounts = written.get("accounts", {})
    if not isinstance(accounts, dict):
        return written, []  # a mistake, which is reported with the others
    problems: list[tuple[Key, str]] = []
    added: dict[str, Any] = {}
    for name, content in own.items():
        key, file = ("accounts", name), file_of(config, name)
        tables = content.get("accounts")
        table = tables.get(name) if isinstance(tables, dict) else None
        strangers = [one for one in content if one != "accounts"]
        strangers += [f"accounts.{one}" for one in tables or () if one != name]
        if strangers:
            text = f"{file.shown} may contain [accounts.{name}] alone, not {', '.join(strangers)}"
            problems.append((key, text))
        if not isinstance(table, dict):
            problems.append((key, f"{file.shown} must contain the table [accounts.{name}]"))
        elif name in accounts:
            text = f"is in {config.name} and in {file.shown}; remove it from one of them"
            problems.append((key, text))
        else:
            added[name] = table
    return {**written, "accounts": {**accounts, **added}}, problems
