"""Warnings about a configuration that can be used but is most likely not meant that way.

    load ──▶ Settings ──▶ warnings ──▶ check-config, and the log of serve

A mistake keeps the relay from starting; a warning does not. Files are checked with the permissions
of the service's user, who may be another user than the one who runs the check.
"""

import grp
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from graphrelay.config.load import Files, Problem, dotted, read_files
from graphrelay.config.locate import Key, Place
from graphrelay.config.settings import (
    AlertsTable,
    ApplicationTable,
    ListenerTable,
    SendAsUserTable,
    Settings,
    SpoolTable,
)
from graphrelay.config.units import GUID
from graphrelay.file_access import FileUser, obstacle
from graphrelay.oauth import initial_domain
from graphrelay.smtp.access.listener import LOOPBACK, TcpEndpoint, endpoint

Warnings = Iterator[tuple[Key, str]]

_CREDENTIALS = Path("/run/credentials")
"""Where systemd puts credentials, which only the service can read."""
_SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})


def warnings(path: Path, settings: Settings, user: FileUser, today: date) -> tuple[Problem, ...]:
    """Everything doubtful in `settings`, which were read from `path`, in the order of its lines;
    `user` is the service's."""
    files = read_files(path, may_be_missing=True)
    places = files.places
    found = [
        Problem(places.of(key), dotted(key), text)
        for look in (
            _no_account,
            _ids,
            _addresses,
            _expiry,
            _listeners,
            _patterns,
            _spool,
            _control,
            _proxy,
        )
        for key, text in look(settings, today)
    ]
    found += [Problem(places.of(key), dotted(key), text) for key, text in _files(settings, user)]
    found += [Problem(place, "", text) for place, text in _own_files(path, files, settings, user)]
    if not path.exists():
        text = "no such file; every setting has its default. graphrelay init creates it"
        found.append(Problem(Place(), "", text))
    return tuple(sorted(found, key=lambda problem: problem.order))


# --- Accounts ------------------------------------------------------------------------------------


NO_ACCOUNT = (
    "no account is configured, so every message is refused for now (450); set one up in the "
    "console (graphrelay console), or add a table [accounts.NAME]"
)


def _no_account(settings: Settings, _: date) -> Warnings:
    if not settings.accounts:
        yield ("accounts",), NO_ACCOUNT


def _ids(settings: Settings, _: date) -> Warnings:
    for name, account in settings.accounts.items():
        if account.client_id and (text := _not_an_id(account.client_id)):
            yield ("accounts", name, "client_id"), text
        if isinstance(account, SendAsUserTable | ApplicationTable) and (
            text := _not_a_tenant(account.tenant)
        ):
            yield ("accounts", name, "tenant"), text


def _not_an_id(client_id: str) -> str:
    if not GUID.fullmatch(client_id):
        return (
            "is not an id such as 9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d; copy Application (client) "
            "ID from the app registration"
        )
    return _placeholder(client_id, "Application (client) ID")


def _not_a_tenant(tenant: str) -> str:
    if tenant.lower() in _SHARED_TENANTS:
        return f'"{tenant}" is no tenant of yours: use its domain, or its Directory (tenant) ID'
    if "." not in tenant and not GUID.fullmatch(tenant):
        return (
            f'"{tenant}" is neither a domain such as "contoso.onmicrosoft.com" nor a Directory '
            "(tenant) ID"
        )
    return _placeholder(tenant, "Directory (tenant) ID")


def _placeholder(guid: str, what: str) -> str:
    alike = GUID.fullmatch(guid) and len(set(guid.replace("-", ""))) == 1
    return f"is a placeholder; put in the {what} of the app registration" if alike else ""


def _addresses(settings: Settings, _: date) -> Warnings:
    for name, account in settings.accounts.items():
        named = [("username", getattr(account, "username", ""))] if not account.mailboxes else []
        named += [("mailboxes", box) for box in account.mailboxes]
        for key, address in named:
            if initial_domain.is_initial(address):
                yield ("accounts", name, key), f"{address}: {initial_domain.REMEDY}"


def _expiry(settings: Settings, today: date) -> Warnings:
    for name, account in settings.accounts.items():
        ends = getattr(account, "client_secret_expires", None)
        if ends and ends <= today:
            text = f"the secret expired on {ends}; create another in the app registration"
            yield ("accounts", name, "client_secret_expires"), text


# --- Listeners and rules -------------------------------------------------------------------------


def _listeners(settings: Settings, _: date) -> Warnings:
    places = [_place(table) for table in settings.smtp.listeners]
    for number, table in enumerate(settings.smtp.listeners):
        key: Key = ("smtp", "listeners", number)
        first = places.index(places[number])
        if first != number:
            yield (*key, "address"), f"{table.address} is also that of smtp.listeners[{first}]"
        if table.auth == "required" and not settings.smtp.users:
            yield (*key, "auth"), '"required", but there are no [[smtp.users]] who could log in'
        if on_the_network(table.address) and all(
            any(one.version == own.version and one.subnet_of(own) for own in LOOPBACK)  # type: ignore[arg-type]
            for one in table.allow_from
        ):
            text = "lets in this machine only, though the listener is on the network"
            yield (*key, "allow_from"), f"{text}; name the networks of its clients"


def _place(table: ListenerTable) -> object:
    """Equal for two listeners that cannot both be opened; port 0 is a different one each time."""
    where = endpoint(table.address)
    free = isinstance(where, TcpEndpoint) and where.port == 0
    return object() if free else where


def on_the_network(address: str) -> bool:
    """Whether other machines can connect to a listener of this address."""
    match endpoint(address):
        case TcpEndpoint(host="localhost"):
            return False
        case TcpEndpoint(host=host):
            try:
                return not ip_address(host).is_loopback
            except ValueError:
                return True
    return False


def _patterns(settings: Settings, _: date) -> Warnings:
    for number, route in enumerate(settings.routes):
        for key, patterns in (("sender", route.sender), ("recipient", route.recipient)):
            for pattern in patterns:
                if not (key == "sender" and pattern == "<>") and (text := _never(pattern)):
                    yield ("routes", number, key), text
    for number, user in enumerate(settings.smtp.users):
        for pattern in user.senders:
            if text := _never(pattern):
                yield ("smtp", "users", number, "senders"), text


def _never(pattern: str) -> str:
    """Why no address can match; names without a domain are allowed, since local programs use
    them.
    """
    local, at, domain = pattern.rpartition("@")
    if not at and "." in pattern and not re.search(r"[*?\[]", pattern):
        return f'"{pattern}" matches no address; for a whole domain write "*@{pattern}"'
    if at and (not local or not domain):
        fixed = f'; for a whole domain write "*@{domain}"' if domain else ""
        return f'"{pattern}" matches no address{fixed}'
    if not local.startswith('"') and re.search(r"[\s,;<>]", pattern):
        return f'"{pattern}" matches no address; write one address or pattern in each string'
    return ""


def _proxy(settings: Settings, _: date) -> Warnings:
    """Entra and Graph are reached through [cloud] proxy only: a variable in some shell must not
    send tokens elsewhere."""
    named = [name for name in ("HTTPS_PROXY", "https_proxy") if os.environ.get(name)]
    if named and not settings.cloud.proxy:
        yield (
            ("cloud", "proxy"),
            f"{named[0]} is set, and is not used; if a proxy is needed, set it here",
        )


def _spool(settings: Settings, _: date) -> Warnings:
    longest = SpoolTable().request_limit
    if settings.spool.request_limit < longest:
        text = f"a request may take {longest // timedelta(seconds=1)} s; with less, a mailbox may "
        text += "see more than four requests, and a message may be sent twice"
        yield ("spool", "request_limit"), text


def _control(settings: Settings, _: date) -> Warnings:
    if settings.control.group:
        try:
            grp.getgrnam(settings.control.group)
        except KeyError:
            text = f"there is no group {settings.control.group} on this machine"
            yield ("control", "group"), text


# --- Files ---------------------------------------------------------------------------------------

_SECRET_KEYS = (
    "client_secret_file",
    "certificate_key_file",
    "certificate_password_file",
    "key_file",
    "url_file",
    "header_value_file",
)


def _files(settings: Settings, user: FileUser) -> Warnings:
    for key, path in _named_files(settings):
        if path.is_relative_to(_CREDENTIALS):
            continue
        try:
            blocked = obstacle(path, user)
            others = bool(path.stat().st_mode & 0o007)
        except FileNotFoundError:
            yield key, f"{path}: no such file"
            continue
        except OSError as error:
            yield key, f"{path}: {error.strerror}"
            continue
        if blocked:
            where = "" if blocked == path else f" ({blocked} keeps it out)"
            yield key, f"{path}: {user.name}, who runs the relay, may not read it{where}"
        if key[-1] in _SECRET_KEYS and others:
            yield (
                key,
                f"{path}: every user of this machine may read this secret; chmod o-rwx {path}",
            )
        if key[-1] in ("certificate_file", "ca_file"):
            yield from ((key, f"{path}: {text}") for text in _no_certificate(path))


def _named_files(settings: Settings) -> Iterator[tuple[Key, Path]]:
    tables: list[tuple[Key, object]] = [
        (("cloud",), settings.cloud),
        (("console",), settings.console),
        (("metrics",), settings.metrics),
        (("spool",), settings.spool),
    ]
    tables += [(("accounts", name), one) for name, one in settings.accounts.items()]
    tables += [(("smtp", "listeners", n), one) for n, one in enumerate(settings.smtp.listeners)]
    tables += [(("alerts", "webhooks", n), one) for n, one in enumerate(settings.alerts.webhooks)]
    for place, table in tables:
        for key in (*_SECRET_KEYS, "certificate_file", "ca_file", "federated_token_file"):
            if isinstance(path := getattr(table, key, None), Path):
                yield (*place, key), path


def _no_certificate(path: Path) -> Iterator[str]:
    """PKCS #12 cannot be looked into without its password."""
    try:
        octets = path.read_bytes()
    except OSError:
        return  # reported already
    if octets.startswith(b"\x30"):
        return
    from cryptography.x509 import load_pem_x509_certificates  # slow, and most have no certificate

    try:
        first = load_pem_x509_certificates(octets)[0]
    except ValueError:
        yield "holds no certificate in PEM"
        return
    if first.not_valid_after_utc < datetime.now(UTC):
        yield f"the certificate expired on {first.not_valid_after_utc:%Y-%m-%d}"


def _own_files(
    path: Path, files: Files, settings: Settings, user: FileUser
) -> Iterator[tuple[Place, str]]:
    """The main file, and those of accounts, of which each holds its account's secrets."""
    own = {one.name: one for one in files.accounts}
    in_main = settings.model_copy(
        update={"accounts": {k: v for k, v in settings.accounts.items() if k not in own}}
    )
    for text in _own_file(path, in_main, user):
        yield Place(), text
    for name, file in own.items():
        alone = Settings.model_construct(
            accounts={name: settings.accounts[name]}, alerts=AlertsTable()
        )
        for text in _own_file(file.path, alone, user):
            yield Place(file=file.shown), text


def _own_file(path: Path, settings: Settings, user: FileUser) -> Iterator[str]:
    try:
        blocked, mode = obstacle(path, user), path.stat().st_mode
    except OSError:
        return  # it has just been removed
    if blocked:
        yield f"{user.name}, who runs the relay, may not read this file"
    if mode & 0o007 and any(look(settings) for look in _HOLDS_SECRETS):
        yield f"it contains secrets, and every user of this machine may read it; chmod o-rwx {path}"


_HOLDS_SECRETS: tuple[Callable[[Settings], bool], ...] = (
    lambda settings: any(
        isinstance(one, ApplicationTable) and (one.client_secret or one.certificate_password)
        for one in settings.accounts.values()
    ),
    lambda settings: any(one.url or one.header_value for one in settings.alerts.webhooks),
)
