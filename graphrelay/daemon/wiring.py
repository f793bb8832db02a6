"""From settings, as written, to the values that the rooms take.

Pure: it opens nothing. Mistakes in the file have been reported by `config` before; what is left (an
address in use, a certificate that cannot be read) the rooms report when they open.
"""

import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pydantic import SecretStr

from graphrelay.alerts.channel import Channel, Secret
from graphrelay.alerts.command import Command
from graphrelay.alerts.watch import Thresholds
from graphrelay.alerts.webhook import Webhook
from graphrelay.config import warnings
from graphrelay.config.in_force import in_force, read
from graphrelay.config.settings import (
    AlertsTable,
    ApplicationTable,
    CloudTable,
    DelegatedTable,
    DeliveryTable,
    PersonalTable,
    RouteTable,
    ScopedUsersTable,
    SendAsUserTable,
    Settings,
    SpoolTable,
    WebhookTable,
)
from graphrelay.console.options import (
    ConfiguredKey,
    ConsoleOptions,
    ConsoleUser,
    HealthLimits,
    MetricsOptions,
    MicrosoftOptions,
    MicrosoftUser,
    ShownConfiguration,
)
from graphrelay.control.socket.place import control_socket_in, state_directory_or_default
from graphrelay.daemon.relay_settings import RelaySettings
from graphrelay.file_access import FileUser
from graphrelay.graph.base64stream import REQUEST, encoded_size
from graphrelay.graph.clouds import CLOUDS, Cloud, custom_cloud
from graphrelay.graph.proxy import Proxy
from graphrelay.model import Address
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    Certificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Personal,
    Scenario,
    ScopedUsers,
    SecretFile,
    SecretSource,
    SecretText,
    SendAsUser,
    own_names,
    uses_others,
)
from graphrelay.relay.accept import router
from graphrelay.relay.accept.router import Route, RoutingTable
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.policy.budget import Limit, What
from graphrelay.relay.policy.reporting import ReportPolicy, ReportTo
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.smtp.access.listener import Limits, Listener
from graphrelay.smtp.access.login import Login
from graphrelay.spool.url import SharedSpool


def wired(settings: Settings, file: Path | None = None) -> RelaySettings:
    """All of them, of the settings in `file`."""
    of, delivery = cloud(settings.cloud), settings.delivery
    return RelaySettings(
        state_directory=state_directory(settings),
        control_socket=control_socket(settings),
        control_group=settings.control.group,
        hostname=hostname(settings),
        listeners=listeners(settings),
        limits=limits(settings),
        logins=logins(settings),
        transcripts=tuple(settings.smtp.transcripts),
        max_message_size=max_message_size(settings),
        drop_directory=settings.drop.directory,
        drop_listener=drop_listener(settings),
        table=table(settings),
        backups=backups(settings),
        policy=policy(delivery),
        reports=reports(delivery),
        shared_spool=shared_spool(settings.spool),
        max_mime_request=delivery.max_mime_request,
        largest_mime_request=encoded_size(settings.smtp.max_message_size + _SPLICED),
        shutdown_grace=delivery.shutdown_grace,
        cloud=of,
        token_cloud=TokenCloud(of.login_url, of.graph_url),
        ca_file=settings.cloud.ca_file,
        proxy=Proxy.parse(settings.cloud.proxy) if settings.cloud.proxy else None,
        proxy_url=settings.cloud.proxy,
        accounts=accounts(settings),
        vault_backend=settings.vault.backend,
        thresholds=thresholds(settings.alerts),
        channels=channels(settings.alerts),
        log_level=settings.log.level,
        log_format=settings.log.format,
        log_keep=settings.log.keep,
        keep_messages=settings.log.keep_messages,
        log_refusals=settings.log.refusals,
        console=console(settings),
        metrics=metrics(settings),
        health=HealthLimits(settings.alerts.queue_older_than, settings.alerts.disk_below),
        shown=_shown(settings, file),
    )


def _shown(settings: Settings, file: Path | None) -> ShownConfiguration:
    today = datetime.now(UTC).date()
    doubts = warnings(file, settings, FileUser.this_process(), today) if file else ()
    keys = in_force(settings, read(file))
    return ShownConfiguration(
        file=str(file or "the environment"),
        keys=tuple(ConfiguredKey(one.key, one.value, one.source) for one in keys),
        warnings=tuple(map(str, doubts)),
        listeners=listeners(settings),
        logins=tuple(user.name for user in settings.smtp.users),
    )


def state_directory(settings: Settings) -> Path:
    return state_directory_or_default(settings.state_directory)


def control_socket(settings: Settings) -> Path:
    """Where the daemon listens for the command line."""
    return settings.control.socket or control_socket_in(state_directory(settings))


def hostname(settings: Settings) -> str:
    """The name in the greeting: configured, or this machine's own without a DNS look-up."""
    return settings.smtp.hostname or socket.gethostname() or "localhost"


def cloud(table: CloudTable) -> Cloud:
    if table.name == "custom":
        return custom_cloud(str(table.login_url), str(table.graph_url))
    return CLOUDS[table.name]


def listeners(settings: Settings) -> tuple[Listener, ...]:
    return tuple(table.listener for table in settings.smtp.listeners)


def console(settings: Settings) -> ConsoleOptions | None:
    """`None`: there is no console."""
    table, monitoring = settings.console, settings.metrics
    listener = table.listener
    if listener is None:
        return None
    return ConsoleOptions(
        listener=listener,
        proxy_from=tuple(table.proxy_from),
        hosts=tuple(table.hosts),
        idle_timeout=table.idle_timeout,
        session_lifetime=table.session_lifetime,
        users=tuple(
            ConsoleUser(Login(user.name, user.password_hash.get_secret_value()), user.role)
            for user in table.users
        ),
        microsoft=_microsoft(settings),
        metrics_from=tuple(monitoring.allow_from) if monitoring.address is None else None,
    )


def _microsoft(settings: Settings) -> MicrosoftOptions | None:
    table = settings.console
    account = next((one for one in accounts(settings) if one.name == table.microsoft_account), None)
    if account is None or not table.microsoft_users:
        return None
    return MicrosoftOptions(
        account.name,
        account.tenant,
        account.client_id,
        tuple(
            MicrosoftUser(user.username, user.object_id or "", user.role)
            for user in table.microsoft_users
        ),
    )


def metrics(settings: Settings) -> MetricsOptions | None:
    """`None`: metrics have no listener of their own."""
    table = settings.metrics
    listener = table.listener
    if listener is None:
        return None
    return MetricsOptions(
        listener=listener, proxy_from=tuple(table.proxy_from), hosts=tuple(table.hosts)
    )


def drop_listener(settings: Settings) -> str:
    """The listener that routes see for mail from the drop folder: the Unix socket at which it would
    have been submitted."""
    listeners = (table for table in settings.smtp.listeners if table.auth != "required")
    sockets = (one.address for one in listeners if one.address.startswith("unix:"))
    return next(sockets, "drop")


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
        Login(user.name, user.password_hash.get_secret_value()) for user in settings.smtp.users
    )


def shared_spool(table: SpoolTable) -> SharedSpool | None:
    """`None` for the embedded one."""
    if table.url is None and table.url_file is None:
        return None
    return SharedSpool(
        url=table.url.get_secret_value() if table.url else "",
        url_file=table.url_file,
        lease=table.lease,
        request_limit=table.request_limit,
    )


def policy(table: DeliveryTable) -> DeliveryPolicy:
    return DeliveryPolicy(
        retry_min=table.retry_min,
        retry_max=table.retry_max,
        lifetime=table.lifetime,
        on_uncertain=table.on_uncertain,
        concurrency_per_mailbox=table.concurrency_per_mailbox,
        budgets=tuple(_budgets(table)),
    )


def _budgets(table: DeliveryTable) -> Iterator[Limit]:
    limits: tuple[tuple[What, int | None, timedelta], ...] = (
        ("requests", table.requests_per_10_minutes, timedelta(minutes=10)),
        ("octets", table.upload_per_5_minutes, timedelta(minutes=5)),
        ("messages", table.messages_per_minute, timedelta(minutes=1)),
        ("recipients", table.recipients_per_day, timedelta(days=1)),
    )
    return (Limit(what, most, window) for what, most, window in limits if most is not None)


def reports(table: DeliveryTable) -> ReportPolicy:
    to: ReportTo
    match table.report_to:
        case "sender":
            to = "sender"
        case "nobody":
            to = "nobody"
        case address:
            to = Address.parse(address)
    return ReportPolicy(to=to, delay_notice=table.delay_notice, lifetime=table.lifetime)


def thresholds(table: AlertsTable) -> Thresholds:
    return Thresholds(
        queue_older_than=table.queue_older_than,
        disk_below=table.disk_below,
        failures_per_hour=table.failures_per_hour,
        repeat_after=table.repeat_after,
    )


def channels(table: AlertsTable) -> tuple[Channel, ...]:
    """By which alerts reach people."""
    webhooks = [_webhook(webhook, table.proxy) for webhook in table.webhooks]
    return (*webhooks, *([Command(tuple(table.command))] if table.command else ()))


def _webhook(table: WebhookTable, proxy: str | None) -> Webhook:
    has_header = table.header_value or table.header_value_file
    return Webhook(
        url=_kept(table.url, table.url_file),
        shape=table.shape,
        header=table.header,
        header_value=_kept(table.header_value, table.header_value_file) if has_header else None,
        label=table.name,
        proxy=proxy,
    )


def _kept(text: SecretStr | None, file: Path | None) -> Secret:
    return Secret(text.get_secret_value() if text else "", file)


_SPLICED = 16 * 1024
"""Space for what is usually added to the header section: Bcc, Reply-To, Date, Message-ID. If more
is added (hundreds in Bcc), reception measures it."""


def max_message_size(settings: Settings) -> int:
    """The largest message that an account can submit; a route may accept less
    (`RoutingTable.largest`)."""
    if any(account.large_messages for account in settings.accounts.values()):
        return settings.smtp.max_message_size
    return min(settings.smtp.max_message_size, _carried(settings))


def _request(settings: Settings) -> int:
    """How much one request to Graph can hold: base64 turns three octets into four."""
    return (settings.delivery.max_mime_request or REQUEST) // 4 * 3


def _carried(settings: Settings) -> int:
    """How much of that is left for a usual message."""
    return max(0, _request(settings) - _SPLICED)


def _largest(settings: Settings) -> dict[str, int]:
    """The limits of accounts that may not create drafts, and so submit in one request."""
    limited = (name for name, one in settings.accounts.items() if not one.large_messages)
    return dict.fromkeys(limited, _carried(settings))


def _largest_mime(settings: Settings) -> int | None:
    """`None` where MIME is tried up to the largest message; other accounts have their limit."""
    return _carried(settings) if settings.delivery.max_mime_request else None


def table(settings: Settings) -> RoutingTable:
    """The router's table."""
    return router.table(
        (_route(number, table) for number, table in enumerate(settings.routes)),
        accounts(settings),
        logins={user.name: tuple(user.senders) for user in settings.smtp.users},
        max_recipients=settings.delivery.max_recipients_per_submission,
        largest=_largest(settings),
        largest_mime=_largest_mime(settings),
        request=_request(settings),
    )


def backups(settings: Settings) -> Backups:
    """Which account is the backup of which."""
    named = {name: table.backup for name, table in settings.accounts.items()}
    return Backups(
        accounts={account.name: account for account in accounts(settings)},
        backup_of={name: backup for name, backup in named.items() if backup},
        largest=table(settings).largest,
    )


def _route(number: int, table: RouteTable) -> Route:
    return Route(
        name=table.name or f"routes[{number}]",
        sender=tuple(table.sender),
        recipient=tuple(table.recipient),
        listener=tuple(table.listener),
        login=tuple(table.login),
        client=tuple(table.client),
        header=tuple(table.header),
        account=table.account,
        mailbox=table.mailbox,
        rewrite_from=table.rewrite_from,
        content=table.content,
        save_to_sent_items=table.save_to_sent_items,
        invitations=table.invitations,
        reply_to=table.reply_to,
        bcc_always=tuple(table.bcc_always),
        subject_prefix=table.subject_prefix,
        redirect_to=table.redirect_to,
    )


def accounts(settings: Settings) -> tuple[Account, ...]:
    return tuple(
        Account(
            name=name,
            tenant="" if isinstance(table, PersonalTable) else table.tenant,
            client_id=table.client_id,
            scenario=_scenario(table),
            mailboxes=tuple(table.mailboxes),
            address=(table.address or "") if isinstance(table, DelegatedTable) else "",
            aliases=tuple(table.aliases) if isinstance(table, DelegatedTable) else (),
            user_ids=tuple(table.user_ids.items()),
            options=AccountOptions(
                large_messages=table.large_messages,
                exact_once=table.exact_once,
                bounces=table.bounces,
            ),
        )
        for name, table in settings.accounts.items()
    )


def _scenario(table: SendAsUserTable | PersonalTable | ApplicationTable) -> Scenario:
    match table:
        case SendAsUserTable():
            own = own_names(table.username, table.address or "", table.aliases)
            return SendAsUser(table.username, uses_others(table.mailboxes, own))
        case PersonalTable():
            return Personal(table.username)
        case ScopedUsersTable():
            return ScopedUsers(_credential(table))
        case _:
            return AnyUser(_credential(table))


def _credential(table: ApplicationTable) -> Credential:
    if table.client_secret:
        return ClientSecret(_secret(table.client_secret), _end(table.client_secret_expires))
    if table.client_secret_file:
        file = SecretFile(table.client_secret_file)
        return ClientSecret(file, _end(table.client_secret_expires))
    if table.certificate_file:
        return Certificate(table.certificate_file, table.certificate_key_file, _passphrase(table))
    if table.federated_token_file:
        return FederatedToken(table.federated_token_file)
    return ManagedIdentity(table.client_id or None)


def _end(day: date | None) -> datetime | None:
    """The first moment of the day that the portal shows, so that no secret expires unannounced."""
    return datetime.combine(day, time(), UTC) if day else None


def _passphrase(table: ApplicationTable) -> SecretSource | None:
    if table.certificate_password_file:
        return SecretFile(table.certificate_password_file)
    return _secret(table.certificate_password) if table.certificate_password else None


def _secret(text: SecretStr) -> SecretText:
    return SecretText(text.get_secret_value())
