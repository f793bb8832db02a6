"""A commented config.toml for one account: only the settings that were decided, with their reasons.

All others have their defaults, which config.example.toml shows.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from graphrelay.config.settings import CloudTable
from graphrelay.guide.setup import Setup
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    Application,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Personal,
    ScopedUsers,
    SecretFile,
    SecretSource,
    SecretText,
    SendAsUser,
    scenario_name,
)

WHAT: dict[type, str] = {
    SendAsUser: "A person signs in once, and mail is sent through that mailbox.",
    Personal: "The owner of an outlook.com account signs in once.",
    AnyUser: "The application signs in by itself and can use every mailbox of the tenant: risky.",
    ScopedUsers: "The application signs in by itself and can use the mailboxes of its scope.",
}


INTRUDER: dict[type, str] = {
    SendAsUser: "Whoever takes the token from this machine can send as this user, and from the "
    "mailboxes on which the user has Send As, until the authorization is deleted.",
    Personal: "Whoever takes the token from this machine can send as this account, until the "
    "authorization is deleted.",
    AnyUser: "Whoever takes the credential from this machine can send as anyone in the tenant.",
    ScopedUsers: "Whoever takes the credential from this machine can send as the mailboxes of the "
    "scope, and as nobody else.",
}
"""What somebody could do who has broken into the relay's machine."""

_MAILBOXES = {
    False: ("# The mailboxes that may be in From; those other than the user's own need Send As.",),
    True: (
        "# The mailboxes that mail may be sent through: the one in From, or else the first of",
        "# these that is a full address.",
    ),
}


def config_text(setup: Setup, command: str) -> str:
    """TOML that passes `check-config`; `command` is how graphrelay is called for this file."""
    return "\n".join(_lines(setup, command)) + "\n"


def account_text(account: Account, senders: Iterable[str] = ()) -> str:
    """The table of the account, and the route for mail from `senders`, as in the file of an
    account."""
    lines = [*_account(account), *_route(account, tuple(senders))]
    return "\n".join(lines).lstrip("\n") + "\n"


def _route(account: Account, senders: tuple[str, ...]) -> Iterator[str]:
    if senders:
        yield ""
        yield "[[routes]]"
        yield "# Mail with these addresses in From goes through this account."
        yield f"sender = {_list(senders)}"
        yield f"account = {quoted(account.name)}"


def _lines(setup: Setup, command: str) -> Iterator[str]:
    yield "# Created by `graphrelay init`. Other settings and their defaults: config.example.toml."
    yield f"# After each change: {command} check-config"
    yield ""
    yield "# Where accepted mail, the mail log and the vault are kept."
    yield f"state_directory = {quoted(setup.state_directory)}"
    yield from _listener(setup)
    yield from _cloud(setup.cloud)
    yield from _account(setup.account)


def _listener(setup: Setup) -> Iterator[str]:
    yield ""
    yield "# Where your applications connect: SMTP, without TLS and without a login."
    yield "[[smtp.listeners]]"
    yield f"address = {quoted(setup.listener)}"
    if setup.allow_from:
        yield "# Networks that may connect; all others are refused."
        yield f"allow_from = {_list(setup.allow_from)}"


def _cloud(cloud: CloudTable) -> Iterator[str]:
    keys = ("login_url", "graph_url", "ca_file", "proxy")
    given = {key: getattr(cloud, key) for key in keys if getattr(cloud, key)}
    if cloud.name == "global" and not given:
        return
    yield ""
    yield "[cloud]"
    yield "# The Microsoft cloud of the tenant, and how to reach it."
    yield f"name = {quoted(cloud.name)}"
    for key, value in given.items():
        yield f"{key} = {quoted(str(value).rstrip('/') if key.endswith('_url') else value)}"


def _account(account: Account) -> Iterator[str]:
    scenario = account.scenario
    yield ""
    yield f"[accounts.{account.name}]"
    yield f"# {WHAT[type(scenario)]} The relay never falls back to another scenario."
    yield f"scenario = {quoted(scenario_name(scenario))}"
    if not isinstance(scenario, Personal):
        yield "# The directory (tenant) ID or a verified domain of the tenant."
        yield f"tenant = {quoted(account.tenant)}"
    if account.client_id:
        yield "# The application (client) ID."
        yield f"client_id = {quoted(account.client_id)}"
    if account.username:
        yield "# The user who signs in; anybody else is refused."
        yield f"username = {quoted(account.username)}"
    if account.address:
        yield "# The primary address of that user's mailbox, which stands in From."
        yield f"address = {quoted(account.address)}"
    if account.mailboxes:
        yield from _MAILBOXES[isinstance(scenario, Application)]
        yield f"mailboxes = {_list(account.mailboxes)}"
    if isinstance(scenario, Application):
        yield from _credential(scenario.credential)
    for key, on, why in (
        ("large_messages", account.options.large_messages, "Messages over about 3 MB"),
        (
            "exact_once",
            account.options.exact_once,
            "No message is sent twice, even if an answer is lost",
        ),
    ):
        if on:
            yield f"# {why}; needs Mail.ReadWrite."
            yield f"{key} = true"


def _credential(credential: Credential) -> Iterator[str]:
    match credential:
        case ClientSecret(source, ends_at):
            yield "# The client secret's value, not its ID. A file is read again at each use."
            yield from _secret("client_secret", source)
            if ends_at:
                yield "# Warnings in status and the log begin 30 days before this day."
                yield f"client_secret_expires = {ends_at.date().isoformat()}"
        case Certificate(path, key_path, passphrase):
            yield "# The certificate with its private key, PEM or PFX; read again at each use."
            yield f"certificate_file = {quoted(path)}"
            if key_path:
                yield f"certificate_key_file = {quoted(key_path)}"
            if passphrase:
                yield from _secret("certificate_password", passphrase)
        case ManagedIdentity(client_id):
            which = "client_id names it" if client_id else "the machine's own"
            yield f"# The identity that Azure gives this machine ({which}); there is no secret."
            yield "managed_identity = true"
        case FederatedToken(path):
            yield "# A token of another identity provider, read again at each use."
            yield f"federated_token_file = {quoted(path)}"


def _secret(key: str, source: SecretSource) -> Iterator[str]:
    match source:
        case SecretText(value):
            yield f"{key} = {quoted(value)}"
        case SecretFile(path):
            yield f"{key}_file = {quoted(path)}"


def quoted(value: object) -> str:
    """A TOML basic string: JSON strings are, except for DEL."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, values))}]"


def beside(config: Path, account: str, suffix: str) -> Path:
    """The default place of a file that belongs to an account."""
    return config.absolute().with_name(f"{account}.{suffix}")
