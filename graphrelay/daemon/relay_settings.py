"""The configuration as the values that the rooms take.

`wiring.wired` makes them of the settings as written. They know nothing of how a configuration is
read, so that the process that relays mail need not either (reading.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from graphrelay.alerts.channel import Channel
from graphrelay.alerts.watch import Thresholds
from graphrelay.console.options import (
    ConsoleOptions,
    HealthLimits,
    MetricsOptions,
    ShownConfiguration,
)
from graphrelay.graph.clouds import Cloud
from graphrelay.graph.proxy import Proxy
from graphrelay.journal import Level
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import Account
from graphrelay.relay.accept.router import RoutingTable
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.policy.reporting import ReportPolicy
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.smtp.access.listener import Limits, Listener, Network
from graphrelay.smtp.access.login import Login
from graphrelay.spool.url import SharedSpool

if TYPE_CHECKING:
    from graphrelay.oauth.vault.values import BackendName


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """All that a relay runs on."""

    state_directory: Path
    control_socket: Path
    control_group: str | None
    hostname: str
    """In the greeting, in reports and in alerts."""
    # Mail in
    listeners: tuple[Listener, ...]
    limits: Limits
    logins: tuple[Login, ...]
    transcripts: tuple[Network, ...]
    max_message_size: int
    drop_directory: Path | None
    drop_listener: str
    shared_spool: SharedSpool | None
    """`None`: the queue is in the state directory."""
    # Mail out
    table: RoutingTable
    backups: Backups
    policy: DeliveryPolicy
    reports: ReportPolicy
    max_mime_request: int | None
    """Octets of base64 in a request; `None` tries up to the largest message, …"""
    largest_mime_request: int
    """… which has so many."""
    shutdown_grace: timedelta
    # Microsoft
    cloud: Cloud
    token_cloud: TokenCloud
    ca_file: Path | None
    proxy: Proxy | None
    proxy_url: str | None = field(repr=False)
    """The same as written, with its login."""
    accounts: tuple[Account, ...]
    vault_backend: "BackendName"
    # People
    thresholds: Thresholds
    channels: tuple[Channel, ...]
    log_level: Level
    log_format: Literal["text", "json"]
    log_keep: timedelta
    keep_messages: timedelta
    log_refusals: bool
    console: ConsoleOptions | None
    metrics: MetricsOptions | None
    health: HealthLimits
    shown: ShownConfiguration
    """As the console shows it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration that can be used."""

    settings: RelaySettings
    doubts: tuple[str, ...]
    """What is legal and most likely not meant, and what whoever has a credential could do."""
    tables: Mapping[str, object] = field(repr=False)
    """The tables and keys that only a restart puts in effect, as written."""
