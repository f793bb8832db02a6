"""Where the relay listens, and for whom, as values that the configuration makes.

This file guards promise 7: nobody relays who should not. `strangers_can_reach` says why a listener
would be an open relay, and `mistake` why it cannot serve anybody. Both return sentences for the
admin, and both are asked again when the server starts.
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)
_PRIVATE: Final[tuple[Network, ...]] = (
    *LOOPBACK,
    ipaddress.IPv4Network("10.0.0.0/8"),
    ipaddress.IPv4Network("172.16.0.0/12"),
    ipaddress.IPv4Network("192.168.0.0/16"),
    ipaddress.IPv4Network("169.254.0.0/16"),
    ipaddress.IPv4Network("100.64.0.0/10"),
    ipaddress.IPv6Network("fc00::/7"),
    ipaddress.IPv6Network("fe80::/10"),
)
_NARROW: Final = {4: 24, 6: 56}
"""From this prefix length on, a public network is somebody's own, not the internet."""


class ListenError(Exception):
    """A listener cannot be opened; the text says which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """`host:port` or `[::1]:port`; port 0 takes any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """`unix:/path`"""

    path: Path


@dataclass(frozen=True, slots=True)
class InheritedEndpoint:
    """`systemd:NAME`, a socket that systemd opened (`FileDescriptorName=NAME`)."""

    name: str


Endpoint = TcpEndpoint | UnixEndpoint | InheritedEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One place where clients connect, and what is asked of them there."""

    address: str
    """`host:port`, `[::1]:port`, `unix:/path` or `systemd:NAME`."""
    tls: Literal["off", "starttls", "implicit"] = "off"
    certificate_file: Path | None = None
    """PEM, the whole chain; with the key in it if `key_file` is not given."""
    key_file: Path | None = None
    tls_minimum: Literal["1.0", "1.1", "1.2", "1.3"] = "1.2"
    auth: Literal["off", "optional", "required"] = "off"
    allow_from: tuple[Network, ...] = LOOPBACK
    """Clients with other addresses are refused. It has no effect on a Unix socket."""
    auth_in_clear: bool = False
    """Accept passwords without TLS from other machines too: for copiers without TLS support."""
    open_relay: bool = False
    """The admin allows that strangers can reach it."""
    proxy_from: tuple[Network, ...] = ()
    """Load balancers: connections from there begin with a PROXY header, which names the client to
    which all other rules then apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one client, and all of them together, may ask."""

    max_recipients: int = 2_000
    """Of one message; more get 452, and a well-behaved client sends those in another message."""
    max_connections: int = 1_000
    max_connections_per_client: int = 200
    """Per IP address; a user of a Unix socket may take three quarters of all."""
    command_timeout: timedelta = timedelta(minutes=5)
    """From the last octet (RFC 5321 section 4.5.3.2.7)."""
    data_timeout: timedelta = timedelta(minutes=5)
    """From the last octet, while a message comes in."""
    tls_handshake_timeout: timedelta = timedelta(seconds=30)


def endpoint(address: str) -> Endpoint:
    """Read a listener's address. Raises `ListenError`."""
    scheme, colon, rest = address.partition(":")
    if scheme == "unix" and rest.startswith("/"):
        return UnixEndpoint(Path(rest))
    if scheme == "systemd" and rest:
        return InheritedEndpoint(rest)
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    numbered = port.isascii() and port.isdigit() and int(port) <= 65535
    named = colon and host and _can_be_asked_for(host)
    if not (named and numbered) or (":" in host) is not bracketed:
        raise ListenError(
            f"{address!r} is not an address to listen on; write host:port, [::1]:port, "
            "unix:/path or systemd:NAME"
        )
    return TcpEndpoint(host, int(port))


def _can_be_asked_for(host: str) -> bool:
    """The resolver does not raise OSError for names with an empty or an overlong label."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def mistake(listener: Listener) -> str | None:
    """Why the listener cannot serve anybody as it is configured; `None` when it can."""
    try:
        where = endpoint(listener.address)
    except ListenError as error:
        return str(error)
    name = listener.address
    if listener.tls != "off" and listener.certificate_file is None:
        return f'{name}: tls = "{listener.tls}" needs a certificate_file'
    if not listener.allow_from and not isinstance(where, UnixEndpoint):
        return f"{name}: allow_from is empty, so nobody could connect"
    in_clear = listener.tls == "off" and not listener.auth_in_clear
    if listener.auth == "required" and in_clear and not is_local(where):
        return (
            f'{name}: auth = "required" without TLS, so nobody on another machine could log in; '
            'set tls = "starttls" or "implicit", or auth_in_clear = true for clients without TLS'
        )
    return None


def strangers_can_reach(listener: Listener) -> str | None:
    """Why this listener would relay for strangers; `None` when it would not.

    It would when it is not on loopback, asks for no login, and lets in addresses that are neither
    private nor one small network.
    """
    if listener.open_relay or listener.auth == "required" or is_local(endpoint(listener.address)):
        return None
    wide = [str(network) for network in listener.allow_from if not _is_known(network)]
    if not wide:
        return None
    return (
        f"{listener.address}: anybody in {', '.join(wide)} could send mail through it without a "
        'login (an open relay); set auth = "required", or narrow allow_from to the clients that '
        "you know"
    )


def is_local(where: Endpoint) -> bool:
    """Whether only this machine can connect there."""
    match where:
        case UnixEndpoint():
            return True
        case InheritedEndpoint():
            return False
        case TcpEndpoint(host="localhost"):
            return True
        case TcpEndpoint(host):
            try:
                return ipaddress.ip_address(host).is_loopback
            except ValueError:
                return False


def _is_known(network: Network) -> bool:
    return network.prefixlen >= _NARROW[network.version] or any(
        network.version == private.version and network.subnet_of(private)  # type: ignore[arg-type]
        for private in _PRIVATE
    )
