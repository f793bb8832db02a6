"""Every key of config.toml, its type and its default.

`config.example.toml` shows the same keys, each with a line of explanation; a test compares the two.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphrelay.alerts import address
from graphrelay.alerts.shapes import Shape
from graphrelay.config.table import Table, wrong
from graphrelay.config.units import (
    GUID,
    AccountName,
    CountOrUnlimited,
    Day,
    Duration,
    DurationOrNever,
    HeaderPattern,
    HostName,
    HttpProxy,
    LoginName,
    Mailbox,
    MailboxPattern,
    NetworkText,
    OneLine,
    OwnMailbox,
    PasswordHash,
    ReportTo,
    Size,
    SizeOrAuto,
    SizeOrUnlimited,
    SomeTime,
    Tenant,
    UserId,
    is_own_mailbox,
    network,
)
from graphrelay.config.web import ConsoleTable, MetricsTable
from graphrelay.smtp.access.listener import (
    Listener,
    mistake,
    strangers_can_reach,
)
from graphrelay.spool.url import mistake_in_url


class ListenerTable(Table):
    address: str
    tls: Literal["off", "starttls", "implicit"] = "off"
    certificate_file: Path | None = None
    key_file: Path | None = None
    tls_minimum: Literal["1.0", "1.1", "1.2", "1.3"] = "1.2"
    auth: Literal["off", "optional", "required"] = "off"
    allow_from: list[NetworkText] = [network("127.0.0.0/8"), network("::1/128")]
    auth_in_clear: bool = False
    open_relay: Literal["", "i understand"] = ""
    proxy_from: list[NetworkText] = []

    @property
    def listener(self) -> Listener:
        """As the smtp package takes it."""
        return Listener(
            address=self.address,
            tls=self.tls,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            tls_minimum=self.tls_minimum,
            auth=self.auth,
            allow_from=tuple(self.allow_from),
            auth_in_clear=self.auth_in_clear,
            open_relay=bool(self.open_relay),
            proxy_from=tuple(self.proxy_from),
        )

    @model_validator(mode="after")
    def _can_serve_and_serves_no_strangers(self) -> Self:
        if self.tls != "off" and not self.certificate_file:
            raise wrong(("certificate_file", f'is missing; tls = "{self.tls}" needs it'))
        if text := mistake(self.listener) or strangers_can_reach(self.listener):
            raise wrong(("address", text))
        return self


class UserTable(Table):
    name: LoginName
    password_hash: PasswordHash
    senders: list[str] = Field(default=[], description="empty: any sender that a route allows")


class SmtpTable(Table):
    hostname: HostName | None = None
    max_message_size: Size = 35_000_000
    max_recipients: int = Field(default=1000, ge=1, le=100_000)
    max_connections: int = Field(default=1000, ge=1)
    max_connections_per_client: int = Field(default=200, ge=1)
    command_timeout: SomeTime = timedelta(minutes=5)
    data_timeout: SomeTime = timedelta(minutes=5)
    transcripts: list[NetworkText] = []
    listeners: list[ListenerTable] = [ListenerTable(address="127.0.0.1:2525")]
    users: list[UserTable] = []


class CloudTable(Table):
    name: Literal["global", "us-gov-high", "us-gov-dod", "china", "custom"] = "global"
    login_url: HttpUrl | None = None
    graph_url: HttpUrl | None = None
    ca_file: Path | None = None
    proxy: HttpProxy | None = None

    @model_validator(mode="after")
    def _urls_go_with_custom(self) -> Self:
        mistakes = []
        for key in ("login_url", "graph_url"):
            url = getattr(self, key)
            if self.name == "custom" and url is None:
                mistakes.append((key, 'is missing; name = "custom" needs login_url and graph_url'))
            elif self.name != "custom" and url is not None:
                mistakes.append((key, f'is only for name = "custom", not "{self.name}"'))
            elif url is not None and url.scheme != "https":
                mistakes.append((key, f"must begin with https://, not {url.scheme}://"))
        if mistakes:
            raise wrong(*mistakes)
        return self


class AccountTable(Table):
    """Keys of every account."""

    client_id: str = Field(min_length=1)
    large_messages: bool = False
    exact_once: bool = False
    backup: str | None = Field(default=None, description="an account, while this one is paused")
    bounces: bool = False
    user_ids: dict[OwnMailbox, UserId] = Field(
        default={}, description="address of a mailbox -> its user principal name or object id"
    )


class DelegatedTable(AccountTable):
    """An account for which a user signs in."""

    username: OwnMailbox
    address: OwnMailbox | None = Field(
        default=None, description="the mailbox's primary SMTP address; default: the username"
    )
    aliases: list[OwnMailbox] = []
    mailboxes: list[MailboxPattern] = []


class SendAsUserTable(DelegatedTable):
    scenario: Literal["user"]
    tenant: Tenant


class PersonalTable(DelegatedTable):
    scenario: Literal["personal"]


CREDENTIALS = (
    "client_secret",
    "client_secret_file",
    "certificate_file",
    "managed_identity",
    "federated_token_file",
)
GOES_WITH = {
    "client_secret_expires": ("client_secret", "client_secret_file"),
    "certificate_key_file": ("certificate_file",),
    "certificate_password": ("certificate_file",),
    "certificate_password_file": ("certificate_file",),
}


class ApplicationTable(AccountTable):
    """An account for which the application signs in itself, with one of these credentials."""

    tenant: Tenant
    client_id: str = Field(
        default="", description="with managed_identity: that of a user-assigned one"
    )
    mailboxes: list[MailboxPattern] = Field(min_length=1)
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    client_secret_expires: Day | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    certificate_password: SecretStr | None = None
    certificate_password_file: Path | None = None
    managed_identity: bool = False
    federated_token_file: Path | None = None

    @model_validator(mode="after")
    def _one_credential_one_tenant(self) -> Self:
        mistakes = [*self._not_one_application(), *self._not_one_credential()]
        secret = self.client_secret.get_secret_value() if self.client_secret else ""
        if GUID.fullmatch(secret):
            text = (
                "looks like the secret's id; what is needed is its value, which the portal shows "
                "only once, right after the secret was made"
            )
            mistakes.append(("client_secret", text))
        if mistakes:
            raise wrong(*mistakes)
        return self

    def _not_one_application(self) -> Iterator[tuple[str, str]]:
        if self.tenant.lower() in ("common", "organizations", "consumers"):
            yield "tenant", "an application signs in to one tenant: its domain or its id"
        if not self.client_id and not self.managed_identity:
            yield "client_id", "is missing"

    def _not_one_credential(self) -> Iterator[tuple[str, str]]:
        given = [key for key in CREDENTIALS if getattr(self, key)]
        if len(given) != 1:
            said = f"not {' and '.join(given)} together" if given else "there is none"
            text = f"exactly one credential is needed of {', '.join(CREDENTIALS)}; {said}"
            yield given[1] if given else "client_secret", text
        for key, companions in GOES_WITH.items():
            if getattr(self, key) and not any(getattr(self, other) for other in companions):
                yield key, f"goes with {' or '.join(companions)}, which is not there"
        if self.certificate_password and self.certificate_password_file:
            yield "certificate_password_file", "not together with certificate_password"


class AnyUserTable(ApplicationTable):
    scenario: Literal["any-user"]


class ScopedUsersTable(ApplicationTable):
    scenario: Literal["scoped-users"]


AnyAccountTable = Annotated[
    SendAsUserTable | PersonalTable | AnyUserTable | ScopedUsersTable,
    Field(discriminator="scenario"),
]


class RouteTable(Table):
    name: OneLine | None = None
    sender: list[str] = []
    recipient: list[str] = []
    listener: list[str] = []
    login: list[str] = []
    client: list[NetworkText] = []
    header: list[HeaderPattern] = []
    account: str
    mailbox: str | None = Field(
        default=None, description='an address, or "sender"; default: the account\'s own'
    )
    rewrite_from: Literal["never", "when-needed", "always"] = "when-needed"
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True
    invitations: Literal["mime", "as-content"] = "as-content"
    reply_to: Mailbox | None = None
    bcc_always: list[Mailbox] = []
    subject_prefix: OneLine = ""
    redirect_to: Mailbox | None = None

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        mistakes = []
        if self.mailbox not in (None, "sender") and not is_own_mailbox(self.mailbox):
            mistakes.append(("mailbox", 'must be the address of a mailbox, or "sender"'))
        as_mime = self.content == "mime" and "content" in self.model_fields_set
        if as_mime and not self.save_to_sent_items:
            text = 'cannot be false with content = "mime": Graph keeps a copy of all that goes so'
            mistakes.append(("save_to_sent_items", text))
        if mistakes:
            raise wrong(*mistakes)
        return self


class DeliveryTable(Table):
    concurrency_per_mailbox: int = Field(default=4, ge=1, le=4)
    max_recipients_per_submission: int = Field(default=500, ge=1, le=1000)
    max_mime_request: SizeOrAuto = None
    lifetime: SomeTime = timedelta(days=5)
    retry_min: SomeTime = timedelta(seconds=30)
    retry_max: SomeTime = timedelta(hours=1)
    on_uncertain: Literal["retry", "hold"] = "retry"
    report_to: ReportTo = "sender"
    delay_notice: DurationOrNever = None
    requests_per_10_minutes: CountOrUnlimited = None
    upload_per_5_minutes: SizeOrUnlimited = None
    messages_per_minute: CountOrUnlimited = None
    recipients_per_day: CountOrUnlimited = None
    shutdown_grace: Duration = timedelta(seconds=30)


class DropTable(Table):
    directory: Path | None = None


class WebhookTable(Table):
    name: str = Field(default="", max_length=60, description="default: the shape and the host")
    url: SecretStr | None = None
    url_file: Path | None = None
    shape: Shape = "generic"
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,60}$")
    header_value: SecretStr | None = None
    header_value_file: Path | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        mistakes = []
        if (self.url is None) == (self.url_file is None):
            mistakes.append(("url", "exactly one is needed of url, url_file"))
        elif self.url and (text := address.mistake(self.url.get_secret_value())):
            mistakes.append(("url", text))
        if self.header_value and self.header_value_file:
            mistakes.append(("header_value_file", "not together with header_value"))
        if self.header_value and not re.fullmatch(
            r"[\x20-\x7e]+", self.header_value.get_secret_value()
        ):
            mistakes.append(("header_value", "must be printable ASCII"))
        if mistakes:
            raise wrong(*mistakes)
        return self


def _http_proxy(value: object) -> object:
    if isinstance(value, str) and re.match(r"https?://[^/\s]+/?$", value):
        return value
    raise ValueError("must be written http://host:port")


class AlertsTable(Table):
    queue_older_than: SomeTime = timedelta(hours=1)
    disk_below: Size = 500_000_000
    failures_per_hour: int = Field(default=20, ge=1)
    repeat_after: Duration = timedelta(hours=6)
    webhooks: list[WebhookTable] = []
    proxy: Annotated[str, BeforeValidator(_http_proxy)] | None = None
    command: list[str] = []

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if self.repeat_after < timedelta(minutes=10):
            raise wrong(("repeat_after", 'must be "10min" or more'))
        if self.command and not Path(self.command[0]).is_absolute():
            raise wrong(
                ("command", "must begin with the absolute path of the program, such as /usr/…")
            )
        if any("\0" in word for word in self.command):
            raise wrong(("command", "holds a NUL, which no argument can"))
        return self


class LogTable(Table):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    keep: Duration = timedelta(days=90)
    keep_messages: Duration = timedelta(0)
    refusals: bool = True


class ControlTable(Table):
    socket: Path | None = None
    group: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.group and self.socket is None:
            text = "needs socket: only the relay may enter the state directory"
            raise wrong(("group", text))
        return self


class SpoolTable(Table):
    url: SecretStr | None = None
    url_file: Path | None = None
    lease: Duration = timedelta(seconds=8)
    request_limit: SomeTime = timedelta(seconds=230)

    @model_validator(mode="after")
    def _can_be_opened(self) -> Self:
        mistakes = []
        if self.url and self.url_file:
            mistakes.append(("url_file", "not together with url"))
        elif self.url and (text := mistake_in_url(self.url.get_secret_value())):
            mistakes.append(("url", text))
        if not timedelta(seconds=2) <= self.lease <= timedelta(minutes=5):
            mistakes.append(("lease", 'must be "2s" to "5min"'))
        if mistakes:
            raise wrong(*mistakes)
        return self


class VaultTable(Table):
    backend: Literal["auto", "file", "secret-service", "keychain"] = "auto"


class Settings(BaseSettings):
    """The whole configuration, as written."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="GRAPHRELAY_", env_nested_delimiter="__"
    )

    state_directory: Path | None = None
    smtp: SmtpTable = SmtpTable()
    cloud: CloudTable = CloudTable()
    accounts: dict[AccountName, AnyAccountTable] = {}
    routes: list[RouteTable] = []
    delivery: DeliveryTable = DeliveryTable()
    drop: DropTable = DropTable()
    alerts: AlertsTable = AlertsTable()
    log: LogTable = LogTable()
    spool: SpoolTable = SpoolTable()
    vault: VaultTable = VaultTable()
    control: ControlTable = ControlTable()
    console: ConsoleTable = ConsoleTable()
    metrics: MetricsTable = MetricsTable()
