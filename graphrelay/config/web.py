"""The tables of config.toml about web servers: `[console]` and `[metrics]`."""

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from graphrelay.config.table import Table, wrong
from graphrelay.config.units import (
    HostName,
    LoginName,
    NetworkText,
    ObjectId,
    OwnMailbox,
    PasswordHash,
    SomeTime,
    network,
)
from graphrelay.smtp.access.listener import Listener, endpoint, is_local, mistake


class ConsoleUserTable(Table):
    name: LoginName
    password_hash: PasswordHash
    role: Literal["viewer", "operator"] = "viewer"


class MicrosoftUserTable(Table):
    username: OwnMailbox
    object_id: ObjectId | None = None
    role: Literal["viewer", "operator"] = "viewer"

    @model_validator(mode="after")
    def _is_one_person(self) -> Self:
        if self.object_id is None:
            text = (
                "is missing (a user name can be given to somebody else later, the id cannot); find "
                f"it with: az ad user show --id {self.username} --query id --output tsv"
            )
            raise wrong(("object_id", text))
        return self


class WebTable(Table):
    """Where a web server listens, and for whom."""

    IN_CLEAR: ClassVar[str]
    """What would cross the network without TLS."""

    address: str | None
    tls: Literal["off", "implicit"] = "off"
    certificate_file: Path | None = None
    key_file: Path | None = None
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    allow_from: list[NetworkText] = [network("127.0.0.0/8"), network("::1/128")]
    proxy_from: list[NetworkText] = []
    hosts: list[HostName] = []

    @property
    def listener(self) -> Listener | None:
        """Where it listens; `None`: nowhere."""
        if self.address in (None, "off"):
            return None
        return Listener(
            address=str(self.address),
            tls=self.tls,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            tls_minimum=self.tls_minimum,
            allow_from=tuple(self.allow_from),
        )

    @model_validator(mode="after")
    def _is_read_by_nobody_on_its_way(self) -> Self:
        if self.tls != "off" and not self.certificate_file:
            raise wrong(("certificate_file", f'is missing; tls = "{self.tls}" needs it'))
        if self.listener is None:
            return self
        if text := mistake(self.listener):
            raise wrong(("address", text))
        where = endpoint(self.listener.address)
        if self.tls == "off" and not self.proxy_from and not is_local(where):
            text = (
                f"{self.address}: {self.IN_CLEAR} would cross the network in clear text; "
                'set tls = "implicit", or name the proxy that adds TLS in proxy_from, or use '
                "127.0.0.1 or a Unix socket"
            )
            raise wrong(("address", text))
        return self


class ConsoleTable(WebTable):
    IN_CLEAR = "passwords and sessions"

    address: str = "127.0.0.1:8026"
    idle_timeout: SomeTime = timedelta(minutes=30)
    session_lifetime: SomeTime = timedelta(hours=12)
    users: list[ConsoleUserTable] = []
    microsoft_account: str | None = Field(
        default=None, description="the account in whose tenant microsoft_users sign in"
    )
    microsoft_users: list[MicrosoftUserTable] = []

    @model_validator(mode="after")
    def _is_one_user(self) -> Self:
        names = [user.name for user in self.users]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise wrong(("users", f'there are two users "{twice}"'))
        ids = [user.object_id for user in self.microsoft_users]
        if id_ := next((id_ for id_ in ids if ids.count(id_) > 1), None):
            raise wrong(("microsoft_users", f"there are two users with the object_id {id_}"))
        people = [user.username.lower() for user in self.microsoft_users]
        if twice := next((name for name in people if people.count(name) > 1), None):
            raise wrong(("microsoft_users", f'there are two users "{twice}"'))
        if self.microsoft_users and self.microsoft_account is None:
            text = "is missing; it names the account in whose tenant microsoft_users sign in"
            raise wrong(("microsoft_account", text))
        return self


class MetricsTable(WebTable):
    IN_CLEAR = "the names of accounts and mailboxes"
    OWN: ClassVar[tuple[str, ...]] = (
        "tls",
        "certificate_file",
        "key_file",
        "tls_minimum",
        "proxy_from",
        "hosts",
    )

    address: str | None = Field(default=None, description="default: the console's listener")

    @model_validator(mode="after")
    def _is_in_use(self) -> Self:
        defaults = {name: type(self).model_fields[name].default for name in self.OWN}
        unused = (name for name, default in defaults.items() if getattr(self, name) != default)
        if self.address is None and (key := next(unused, None)):
            raise wrong((key, "is for a listener of its own; set address, too"))
        return self
