"""Who may connect: allowed networks, and how many connections in all and from one client.

What is always true here: a connection that was let in is counted until it ends, no client can take
all connections (an IP address as many as are configured, a user of a Unix socket three quarters),
and refused ones cost one line in the journal for each client, reason and hour, however many they
are (unless its level is "debug").
"""

import ipaddress
import resource
import socket
import struct
from collections import Counter, OrderedDict
from datetime import timedelta
from functools import lru_cache
from typing import Final, Protocol

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import Reply
from graphrelay.smtp.access.listener import Limits, Network

_QUIET_FOR: Final = timedelta(hours=1)
_KEPT: Final = 1024
MOST_LINES: Final = 1_000
"""Of one client in an hour, by `QuietJournal.write_some`."""

_UCRED: Final = struct.Struct("3i")

LOCAL: Final = "unix"
"""The client of a Unix socket: in no network."""


class Peer(Protocol):
    """What is asked of a socket, asyncio's own or uvloop's."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes: ...


def peer_uid(peer: Peer) -> int | None:
    """The user id at the other end of a Unix socket; `None` on platforms that do not say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(raw)[1])


def client_address(peername: object) -> str:
    """The client's IP address from a socket's peer name; `unix` where there is none.

    An IPv4 client of an IPv6 socket is named by its IPv4 address, a scope id is left out.
    """
    if not isinstance(peername, tuple):
        return LOCAL
    host = str(peername[0])
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or address)


def local_user(peer: Peer) -> str:
    """What clients of a Unix socket are counted as: `unix user 33`."""
    uid = peer_uid(peer)
    return LOCAL if uid is None else f"{LOCAL} user {uid}"


def is_among(client: str, networks: tuple[Network, ...]) -> bool:
    """Whether the client is in one of the networks; a client of a Unix socket is in none."""
    if not networks or client == LOCAL:
        return False
    address = _address(client)
    return any(address in network for network in networks)


_address = lru_cache(1024)(ipaddress.ip_address)
"""Reading an address costs more than comparing it, and clients come again."""


def short_of_descriptors(descriptor: int) -> Reply | None:
    """Why a client that was given this descriptor cannot stay, or `None`.

    The system gives out the lowest free number, so it shows how many are in use. A quarter is kept
    for mail: for its files, and for connections to Microsoft. Some of it is for `accept` as well:
    without a free descriptor the event loop spins, and no client can be given a reason.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or descriptor < most - most // 4:
        return None
    return Reply(421, "4.3.2", "Too many open files in this relay; try again later")


class Gate:
    """Counts connected clients."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._inside: Counter[str] = Counter()
        self._total = 0

    def enter(self, client: str) -> Reply | None:
        """Count a client (by address, or `local_user`), or say why it cannot stay."""
        if self._total >= self.limits.max_connections:
            return Reply(421, "4.3.2", "Too many connections to this relay; try again later")
        allowed = self._allowed(client)
        if self._inside[client] >= allowed:
            return Reply(421, "4.7.0", f"Too many connections from {client}, {allowed} allowed")
        self._total += 1
        self._inside[client] += 1
        return None

    def leave(self, client: str) -> None:
        """A client that was counted has left."""
        self._total -= 1
        self._inside[client] -= 1
        if not self._inside[client]:
            del self._inside[client]

    def _allowed(self, client: str) -> int:
        """A user of this machine may be a web server with hundreds of workers; a quarter is kept
        for other users all the same."""
        if client.startswith(LOCAL):
            return max(1, self.limits.max_connections * 3 // 4)
        return self.limits.max_connections_per_client


class QuietJournal:
    """Writes refusals to the journal once an hour for each client and reason; those in between are
    events as well, of a level at which nobody reads them by default."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._noted: OrderedDict[tuple[str, str, str | None], tuple[timedelta, int]] = OrderedDict()
        self._lines: OrderedDict[str, tuple[timedelta, int]] = OrderedDict()
        """For each client since when, and how many."""

    def write_some(self, refused: events.Refused) -> None:
        """Each refusal, since it may be a message that is missed; but of a client that is refused
        all the time no more than `MOST_LINES` an hour, and then as `write` does."""
        client, now = refused.origin.client, self._clock.monotonic()
        since, lines = self._lines.get(client, (now, 0))
        if now - since >= _QUIET_FOR:
            since, lines = now, 0
        if lines >= MOST_LINES:
            return self.write(refused)
        self._lines[client] = (since, lines + 1)
        self._lines.move_to_end(client)
        while len(self._lines) > _KEPT:
            self._lines.popitem(last=False)
        self._journal.write(refused)
        return None

    def write(self, refused: events.Refused) -> None:
        """As `Journal.write`; `before` says how often the same was left out."""
        key = (refused.origin.client, refused.reply, refused.reason)
        now = self._clock.monotonic()
        since, quiet = self._noted.get(key, (None, 0))
        if since is not None and now - since < _QUIET_FOR:
            self._noted[key] = (since, quiet + 1)
            self._journal.write(events.RefusedAgain(**vars(refused)))
            return
        self._noted[key] = (now, 0)
        self._noted.move_to_end(key)
        while len(self._noted) > _KEPT:
            self._noted.popitem(last=False)
        self._journal.write(events.Refused(**vars(refused) | {"before": quiet or None}))
