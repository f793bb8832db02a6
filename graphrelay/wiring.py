"""From settings, as written, to the values that the rooms take.

Pure: nothing is opened, nothing listens. What a person can get wrong in the file has been told by
`config` before; what is left (an address in use, a certificate that cannot be read) the rooms say
when they are made.
"""

import os
import socket
from pathlib import Path

from pydantic import SecretStr

from graphrelay.config.settings import (
    ApplicationTable,
    CloudTable,
    PersonalTable,
    ScopedUsersTable,
    SendAsUserTable,
    Settings,
)
from graphrelay.graph.clouds import CLOUDS, Cloud, custom_cloud
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Personal,
    Scenario,
    ScopedUsers,
    SecretText,
    SendAsUser,
)
from graphrelay.smtp.listener import Limits, Listener
from graphrelay.smtp.login import Login


def state_directory(settings: Settings) -> Path:
    """`state_directory`, else `$STATE_DIRECTORY` (systemd), else the user's own."""
    if settings.state_directory:
        return settings.state_directory
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "graphrelay"


def control_socket(settings: Settings) -> Path:
    """Where the daemon is asked; below the state directory, so that both ends find it alone."""
    return state_directory(settings) / "control.sock"


def hostname(settings: Settings) -> str:
    """What the greeting says; this machine's name without asking the network for it."""
    return settings.smtp.hostname or socket.gethostname() or "localhost"


def cloud(table: CloudTable) -> Cloud:
    if table.name == "custom":
        return custom_cloud(str(table.login_url), str(table.graph_url))
    return CLOUDS[table.name]


def listeners(settings: Settings) -> tuple[Listener, ...]:
    return tuple(table.listener for table in settings.smtp.listeners)


def limits(settings: Settings) -> Limits:
    table = settings.smtp
    return Limits(
        max_recipients=table.max_recipients,
        max_connections=table.max_connections,
        max_connections_per_client=table.max_connections_per_client,
        command_timeout=table.command_timeout,
        data_timeout=table.data_timeout,
    )


def logins(settings: Settings) -> tuple[Login, ...]:
    return tuple(
        Login(user.name, user.password_hash.get_secret_value(), tuple(user.senders))
        for user in settings.smtp.users
    )


def accounts(settings: Settings) -> tuple[Account, ...]:
    return tuple(
        Account(
            name=name,
            tenant="" if isinstance(table, PersonalTable) else table.tenant,
            client_id=table.client_id,
            scenario=_scenario(table),
            mailboxes=tuple(table.mailboxes),
        )
        for name, table in settings.accounts.items()
    )


def _scenario(table: SendAsUserTable | PersonalTable | ApplicationTable) -> Scenario:
    large, exact = table.large_messages, table.exact_once
    match table:
        case SendAsUserTable():
            shared = any(box.casefold() != table.username.casefold() for box in table.mailboxes)
            return SendAsUser(table.username, shared, large, exact)
        case PersonalTable():
            return Personal(table.username, large, exact)
        case ScopedUsersTable():
            return ScopedUsers(_credential(table), large, exact)
        case _:
            return AnyUser(_credential(table), large, exact)


def _credential(table: ApplicationTable) -> Credential:
    if table.client_secret:
        return ClientSecret(_secret(table.client_secret))
    if table.certificate_file:
        passphrase = table.certificate_password
        return Certificate(
            table.certificate_file, passphrase=_secret(passphrase) if passphrase else None
        )
    if table.federated_token_file:
        return FederatedToken(table.federated_token_file)
    return ManagedIdentity()


def _secret(text: SecretStr) -> SecretText:
    return SecretText(text.get_secret_value())
