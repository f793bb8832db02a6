"""The console's part of the configuration, and that of metrics, as values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from graphrelay.smtp.access.listener import LOOPBACK, Listener, Network
from graphrelay.smtp.access.login import Login

Role = Literal["viewer", "operator"]
"""A viewer sees everything; an operator acts as well."""


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """A user who signs in with a name and a password."""

    login: Login
    role: Role


@dataclass(frozen=True, slots=True)
class MicrosoftUser:
    """A user who signs in with Microsoft."""

    username: str
    object_id: str
    """In lower case."""
    role: Role


@dataclass(frozen=True, slots=True)
class MicrosoftOptions:
    """Signing in with Microsoft."""

    account: str
    """Whose tenant and app registration are used."""
    tenant: str
    client_id: str
    users: tuple[MicrosoftUser, ...]


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """The thresholds at which something counts as wrong: those of `[alerts]`."""

    queue_older_than: timedelta = timedelta(hours=1)
    disk_below: int = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a web server listens."""

    listener: Listener
    """Address, TLS and the networks of its clients."""
    proxy_from: tuple[Network, ...] = ()
    """Reverse proxies, whose X-Forwarded-For and X-Forwarded-Proto count."""
    hosts: tuple[str, ...] = ()
    """Names by which its clients reach it, besides localhost and addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsOptions(WebAddress):
    """The table `[metrics]` with an address of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions(WebAddress):
    """The table `[console]`."""

    idle_timeout: timedelta = timedelta(minutes=30)
    session_lifetime: timedelta = timedelta(hours=12)
    users: tuple[ConsoleUser, ...] = ()
    microsoft: MicrosoftOptions | None = None
    """`None`: nobody signs in with Microsoft."""
    metrics_from: tuple[Network, ...] | None = LOOPBACK
    """Who may ask for metrics and health without signing in; `None`: they have an address of their
    own."""


@dataclass(frozen=True, slots=True)
class ConfiguredKey:
    """A line of the page Settings."""

    key: str
    """Dotted, as `smtp.listeners[0].address`."""
    value: str
    """As TOML writes it; never a secret's."""
    source: str
    """Where the value comes from."""


@dataclass(frozen=True, slots=True)
class ShownConfiguration:
    """The configuration in effect."""

    file: str
    keys: tuple[ConfiguredKey, ...]
    warnings: tuple[str, ...]
    listeners: tuple[Listener, ...]
    """With the ports at which they really listen."""
    logins: tuple[str, ...]
