"""Reading the configuration, and reporting everything that is wrong with it at once.

Order of precedence: environment (`GRAPHRELAY_CLOUD__GRAPH_URL`), systemd credentials
(`accounts.website.client_secret`), the files, the defaults. The files are the main one, and those
of `accounts.d/` beside it (`account_files.py`).
"""

import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from graphrelay import toml_file
from graphrelay.config import account_files
from graphrelay.config.locate import Key, Place, Places
from graphrelay.config.settings import Settings, SmtpTable
from graphrelay.file_access import advice

DEFAULT_LISTENER = SmtpTable().listeners[0].address
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, the key, and what is wrong."""

    place: Place
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.place), self.key, self.text)))

    @property
    def order(self) -> tuple[str, int]:
        """As people read the files."""
        return self.place.file, self.place.line


class ConfigError(Exception):
    """The configuration cannot be used; `problems` holds every mistake."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


class ConfigDenied(ConfigError):  # noqa: N818 (a condition that has an answer)
    """This process may not read the file."""


def load(
    path: Path,
    elsewhere: Iterable[str] = (),
    more: tuple[account_files.AccountFile, ...] = (),
    *,
    may_be_missing: bool = False,
) -> Settings:
    """The settings in `path`, overridden by the environment and credentials.

    `elsewhere` names credentials that only another process can read. They count as present, with a
    placeholder as value, so that the rest can be checked. `more` are files of accounts, with their
    text, as if they existed. A file that is missing, and `may_be_missing`, is an empty one.

    Raises `ConfigError` with every mistake that was found.
    """
    files = read_files(path, more, may_be_missing=may_be_missing)
    written = _parsed(path, files.text, "")
    own = {file.name: _parsed(path, file.text, file.shown) for file in files.accounts}
    merged, problems = account_files.merged(path, written, own)
    places = files.places
    found = [(key, said) for key, said in (*problems, *_between_tables(merged))]
    wrong: list[Problem] = []
    try:
        settings = _layered(merged, _credentials(elsewhere))
    except ValidationError as error:
        found += [pair for details in error.errors() for pair in _mistakes(details)]
    except SettingsError as error:
        wrong.append(Problem(Place(), "environment", str(error)))
    wrong += [Problem(places.of(key), dotted(key), said) for key, said in found]
    if wrong:
        raise ConfigError(path, tuple(sorted(wrong, key=lambda problem: problem.order)))
    return settings


@dataclass(frozen=True, slots=True)
class Files:
    """The text of the main file, and the files of `accounts.d/` beside it."""

    text: str
    accounts: tuple[account_files.AccountFile, ...]

    @property
    def places(self) -> Places:
        own = {one.name: _lenient(one.text) for one in self.accounts}
        routes = account_files.in_order(_lenient(self.text), own)
        return Places(
            self.text,
            {one.name: (one.shown, one.text) for one in self.accounts},
            [(origin.account, origin.number) for origin, _ in routes],
        )


def _lenient(text: str) -> dict[str, Any]:
    """Nothing for what is not TOML, which is reported elsewhere."""
    try:
        return toml_file.parse(text)
    except ValueError:
        return {}


def read_files(
    path: Path,
    more: tuple[account_files.AccountFile, ...] = (),
    *,
    may_be_missing: bool = False,
) -> Files:
    """All files of the configuration `path`. Raises `ConfigError`."""
    text = "" if may_be_missing and not os.path.lexists(path) else text_of(path)
    try:
        own = account_files.files_beside(path)
    except OSError as error:
        folder = path.parent / account_files.DIRECTORY
        raise _unreadable(path, folder, Place(file=account_files.DIRECTORY), error) from error
    return Files(text, (*(one.with_text(text_of(path, one)) for one in own), *more))


def _parsed(path: Path, text: str, file: str) -> dict[str, Any]:
    try:
        return toml_file.parse(text)
    except toml_file.TooMuch as error:
        raise ConfigError(path, (Problem(Place(error.line, file), "", str(error)),)) from error
    except ValueError as error:
        problem = Problem(Place(file=file), "", f"not valid TOML: {error}")
        raise ConfigError(path, (problem,)) from error


def _layered(written: dict[str, Any], credentials: dict[str, Any]) -> Settings:
    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                env_settings,
                InitSettingsSource(settings_cls, credentials),
                InitSettingsSource(settings_cls, written),
            )

    return Layered.model_validate({})


def text_of(path: Path, of: account_files.AccountFile | None = None) -> str:
    """What is in the file `path`, or in the one `of` an account beside it. Raises `ConfigError`."""
    file, where = (of.path, Place(file=of.shown)) if of else (path, Place())
    try:
        return toml_file.read(file)
    except FileNotFoundError as error:
        missing = "no such file; create it with graphrelay init, or name another with --config"
        raise ConfigError(path, (Problem(where, "", missing),)) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, file, where, error) from error


def _unreadable(path: Path, one: Path, where: Place, error: OSError | ValueError) -> ConfigError:
    """`one` of the files of the configuration `path`."""
    if isinstance(error, PermissionError):
        denied = f"permission denied; {advice(one)}"
        return ConfigDenied(path, (Problem(where, "", denied),))
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(path, (Problem(where, "", f"cannot be read: {reason}"),))


def _credentials(elsewhere: Iterable[str]) -> dict[str, Any]:
    """Secrets that systemd provides: files named like `accounts.website.client_secret`."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    found = dict.fromkeys(elsewhere, "(only another process can read it)")
    for file in sorted(Path(directory).iterdir()) if directory else ():
        if _of_account(file.name):
            found[file.name] = file.read_text(encoding="utf-8").strip()
    accounts: dict[str, Any] = {}
    for name in filter(_of_account, found):
        _, account, key = name.split(".", 2)
        accounts.setdefault(account, {})[key] = found[name]
    return {"accounts": accounts} if accounts else {}


def _of_account(credential: str) -> bool:
    return fnmatchcase(credential, "accounts.*.*")


def _between_tables(written: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """What is inconsistent between tables; taken from the raw file, so that it is reported together
    with the mistakes inside the tables."""
    accounts = _tables(written.get("accounts"))
    known = _some(accounts)
    routes = written.get("routes")
    for number, route in enumerate(routes if isinstance(routes, list) else ()):
        name = route.get("account") if isinstance(route, dict) else None
        if isinstance(name, str) and name not in accounts:
            yield ("routes", number, "account"), f'no account is named "{name}"; there is {known}'
    yield from _unknown_ways_in(written, routes if isinstance(routes, list) else [])
    if not routes and len(accounts) > 1:
        yield ("routes",), f"with several accounts ({known}), [[routes]] must say which to use when"
    for name, account in accounts.items():
        backup = account.get("backup")
        if isinstance(backup, str) and (backup not in accounts or backup == name):
            others = _some(other for other in accounts if other != name) or "no other"
            text = f'must be the name of another account, not "{backup}"; there is {others}'
            yield ("accounts", name, "backup"), text
    yield from _no_tenant_to_sign_in(_tables(written).get("console", {}), accounts)
    cloud = _tables(written).get("cloud", {}).get("name", "global")
    for name, account in accounts.items():
        if account.get("scenario") == "personal" and cloud not in ("global", "custom"):
            where = ("accounts", name, "scenario")
            yield where, f'"personal" accounts exist in the global cloud only, not in "{cloud}"'


def _no_tenant_to_sign_in(
    console: dict[str, Any], accounts: dict[str, dict[str, Any]]
) -> Iterator[tuple[Key, str]]:
    """An account that has no app registration in one tenant cannot sign in users of the console."""
    name = console.get("microsoft_account")
    if not isinstance(name, str):
        return
    account = accounts.get(name)
    where = ("console", "microsoft_account")
    if account is None:
        there = _some(accounts) or "none"
        yield where, f'no account is named "{_shortened(name)}"; there is {there}'
    elif account.get("scenario") == "personal" or account.get("managed_identity"):
        text = f'account "{name}" has no app registration in a tenant; name one that has'
        yield where, text
    elif str(account.get("tenant")).lower() in ("common", "organizations", "consumers"):
        text = f'account "{name}" names no tenant, so users of any could sign in; set its tenant'
        yield where, text


def _unknown_ways_in(written: dict[str, Any], routes: list[Any]) -> Iterator[tuple[Key, str]]:
    """Conditions of routes that nothing can fulfil: a login or a listener that does not exist."""
    smtp = _tables(written).get("smtp", {})
    ways = {
        "listener": _column(smtp.get("listeners", [{"address": DEFAULT_LISTENER}]), "address"),
        "login": _column(smtp.get("users"), "name"),
    }
    for key, there in ways.items():
        table = "listeners" if key == "listener" else "users"
        if f"GRAPHRELAY_SMTP__{table}".casefold() in (name.casefold() for name in os.environ):
            continue
        for number, route in enumerate(routes):
            named = route.get(key) if isinstance(route, dict) else None
            for name in named if isinstance(named, list) else ():
                if isinstance(name, str) and name not in there:
                    said = f"there is {_some(there)}" if there else "there is none"
                    text = f'nothing in [[smtp.{table}]] is "{_shortened(name)}"; {said}'
                    yield ("routes", number, key), text


def _column(tables: object, key: str) -> list[str]:
    found = (
        (table.get(key) for table in tables if isinstance(table, dict))
        if (isinstance(tables, list))
        else ()
    )
    return [value for value in found if isinstance(value, str)]


def _some(names: Iterable[str]) -> str:
    """Only as many as are worth reading."""
    first = list(islice(names, _MOST_NAMED + 1))
    text = ", ".join(f'"{_shortened(name)}"' for name in first[:_MOST_NAMED])
    return f"{text} …" if len(first) > _MOST_NAMED else text


def _shortened(text: str) -> str:
    shown = text if text.strip() and text.isprintable() else repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


def _tables(value: object) -> dict[str, dict[str, Any]]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: table for name, table in items if isinstance(table, dict)}


def _mistakes(details: ErrorDetails) -> Iterator[tuple[Key, str]]:
    """pydantic's findings as keys and sentences."""
    key = _written_key(details["loc"])
    if details["type"] == "together":
        for name, said in details["ctx"]["mistakes"]:
            yield (*key, name), said
    elif details["type"].startswith("union_tag"):
        yield (*key, "scenario"), _sentence(details, key)
    else:
        yield key, _sentence(details, key)


_SCENARIOS = ("user", "personal", "any-user", "scoped-users")


def _written_key(loc: Key) -> Key:
    """Without what pydantic adds: the tag of the union that it tried, and `[key]`."""
    if loc[:1] == ("accounts",) and len(loc) > 2 and loc[2] in _SCENARIOS:
        return (*loc[:2], *loc[3:])
    return tuple(part for part in loc if part != "[key]")


def _sentence(details: ErrorDetails, key: Key) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return f"unknown key{_did_you_mean(str(key[-1]), _siblings(details['loc']))}"
        case "missing":
            return "is missing"
        case "union_tag_not_found":
            return f"is missing; one of {_quoted(_SCENARIOS)}"
        case "union_tag_invalid":
            return f"must be one of {_quoted(_SCENARIOS)}, not {context.get('tag')!r}"
        case "literal_error":
            return f"must be {context['expected']}, not {_shown(details['input'])}"
        case "value_error":
            return str(context["error"])
    message = details["msg"].removeprefix("Input ").rstrip(".")
    if not message.startswith("should "):
        return message
    return f"must {message.removeprefix('should ')}, not {_shown(details['input'])}"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr | dict | list):
        return f"a {'table' if isinstance(value, dict) else type(value).__name__}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known here: {', '.join(known)}" if known else ""


@cache
def _schema() -> dict[str, Any]:
    return TypeAdapter(Settings).json_schema()


def _siblings(loc: Key) -> list[str]:
    """The keys that the table of `loc` may have."""
    schema = _schema()
    node: dict[str, Any] = schema
    for part in loc[:-1]:
        node = _child(schema, node, part)
    return sorted(_resolved(schema, node).get("properties", {}))


def _child(schema: dict[str, Any], node: dict[str, Any], part: str | int) -> dict[str, Any]:
    node = _resolved(schema, node)
    if isinstance(part, int):
        return dict(node.get("items", {}))
    if part in node.get("properties", {}):
        return dict(node["properties"][part])
    if part in node.get("discriminator", {}).get("mapping", {}):
        return {"$ref": node["discriminator"]["mapping"][part]}
    extra = node.get("additionalProperties", {})
    return dict(extra) if isinstance(extra, dict) else {}


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return dict(schema["$defs"][reference.rsplit("/", 1)[1]]) if reference else node


def dotted(key: Key) -> str:
    """`routes[0].account`, as the documentation writes it."""
    words = ""
    for part in key:
        name = part if isinstance(part, int) else _shortened(part)
        words += f"[{name}]" if isinstance(part, int) else f".{name}" if words else str(name)
    return words
