"""Accounts in files of their own: `accounts.d/NAME.toml` beside the configuration file.

    config.toml               everything, with or without accounts
    accounts.d/website.toml   [accounts.website], as it would stand in config.toml, and the
                              [[routes]] that send through it; nothing else

So a program can add an account without editing the file of the administrator. An account is in one
place only: nothing overrides anything. Files whose names begin with a dot or do not end in .toml
are not looked at (drafts, and secrets that belong to an account).

Routes are looked at in this order; the first match wins:

    the routes of config.toml up to the first that takes everything
    the routes of accounts.d/, file by file; each has a condition
    the rest of config.toml; or, where it has no route at all, the one account without a route
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graphrelay.config.locate import Key

DIRECTORY = "accounts.d"
SUFFIX = ".toml"
CONDITIONS = ("sender", "recipient", "listener", "login", "client", "header")
"""What a route may look at; one that has none takes everything."""


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
    except FileNotFoundError:
        return ()
    return tuple(
        AccountFile(one)
        for one in found
        if one.name.endswith(SUFFIX) and not one.name.startswith(".")
    )


@dataclass(frozen=True, slots=True)
class RouteOrigin:
    """Where a route is written: in the file of an account, or in the main one (no account)."""

    account: str
    number: int
    """From 0, in its file. -1: nowhere; it follows from the others."""


def in_order(
    written: dict[str, Any], own: Mapping[str, dict[str, Any]]
) -> list[tuple[RouteOrigin, Any]]:
    """All routes in the order in which they are looked at."""
    main = [(RouteOrigin("", number), one) for number, one in enumerate(_routes(written))]
    added = [
        (RouteOrigin(name, number), one)
        for name, content in own.items()
        for number, one in enumerate(_routes(content))
    ]
    if added and not main:
        rest = _without_route(written, own)
        implied = [(RouteOrigin("", -1), {"account": name}) for name in rest]
        return [*added, *(implied if len(implied) == 1 else [])]
    whole = (place for place, (_, one) in enumerate(main) if not _has_condition(one))
    place = next(whole, len(main))
    return [*main[:place], *added, *main[place:]]


def _routes(content: dict[str, Any]) -> list[Any]:
    found = content.get("routes")
    return found if isinstance(found, list) else []


def _without_route(written: dict[str, Any], own: Mapping[str, dict[str, Any]]) -> list[str]:
    """The accounts that no route names, and that are nobody's backup."""
    tables = {name: table for one in (written, *own.values()) for name, table in _accounts(one)}
    routes = (one for content in (written, *own.values()) for one in _routes(content))
    named = {str(one.get("account")) for one in routes if isinstance(one, dict)}
    named |= {str(one.get("backup")) for one in tables.values() if isinstance(one, dict)}
    return [name for name in tables if name not in named]


def _accounts(content: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    found = content.get("accounts")
    return found.items() if isinstance(found, dict) else ()


def _has_condition(route: object) -> bool:
    return isinstance(route, dict) and any(route.get(name) for name in CONDITIONS)


def merged(
    config: Path, written: dict[str, Any], own: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[Key, str]]]:
    """`written` in the main file with the accounts and routes of their `own` files, and what must
    not be in these."""
    accounts = written.get("accounts", {})
    if not isinstance(accounts, dict):
        return written, []  # a mistake, which is reported with the others
    problems: list[tuple[Key, str]] = []
    added: dict[str, Any] = {}
    for name, content in own.items():
        key, file = ("accounts", name), file_of(config, name)
        tables = dict(_accounts(content))
        table = tables.get(name)
        strangers = [one for one in content if one not in ("accounts", "routes")]
        strangers += [f"accounts.{one}" for one in tables if one != name]
        if strangers:
            text = f"{file.shown} may contain [accounts.{name}] and its [[routes]] alone, not "
            text += ", ".join(strangers)
            problems.append((key, text))
        if not isinstance(content.get("routes", []), list):
            problems.append((key, f"the routes of {file.shown} must be written as [[routes]]"))
        if not isinstance(table, dict):
            problems.append((key, f"{file.shown} must contain the table [accounts.{name}]"))
        elif name in accounts:
            text = f"is in {config.name} and in {file.shown}; remove it from one of them"
            problems.append((key, text))
        else:
            added[name] = table
    routes = in_order(written, own)
    problems += [
        (("routes", number, "account"), text)
        for number, (origin, one) in enumerate(routes)
        if origin.account and (text := _misplaced(origin.account, one))
    ]
    rest = _without_route(written, own) if routes and not _routes(written) else []
    if len(rest) > 1:
        known = ", ".join(f'"{name}"' for name in rest)
        problems.append((("routes",), f"no route says when to use one of the accounts {known}"))
    together = {**written, "accounts": {**accounts, **added}}
    if routes and isinstance(written.get("routes", []), list):
        together["routes"] = [one for _, one in routes]
    return together, problems


def _misplaced(account: str, route: object) -> str:
    """What a route in the file of an account must not do."""
    if not isinstance(route, dict):
        return ""  # reported with the other mistakes
    if route.get("account") != account:
        return f'must be "{account}": a route in the file of an account sends through that account'
    if not _has_condition(route):
        return f"the route needs a condition ({', '.join(CONDITIONS)}), or it would take all mail"
    return ""
