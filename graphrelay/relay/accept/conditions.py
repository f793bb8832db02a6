"""A route, and whether it applies to a message: all of its conditions must hold. Pure.

An empty condition holds for everything. Patterns are shell patterns without regard to case, so
`*@contoso.com` is a domain and `wp@contoso.com` itself.

    sender      the From address; the envelope sender where there is no From; `<>` for none at all
    recipient   each envelope recipient separately: one message may take several routes
    listener    as the configuration names it, `127.0.0.1:2525`
    login       the name that the client logged in with
    client      networks; a Unix socket is in none
    header      fields by name, each with a pattern for its decoded value
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from graphrelay.model import Address, Envelope, Origin, in_small_letters

Network = IPv4Network | IPv6Network
RewriteFrom = Literal["never", "when-needed", "always"]
Condition = Literal["sender", "recipient", "listener", "login", "client", "header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Conditions, and how a message is sent if they hold."""

    name: str
    sender: tuple[str, ...] = ()
    recipient: tuple[str, ...] = ()
    listener: tuple[str, ...] = ()
    login: tuple[str, ...] = ()
    client: tuple[Network, ...] = ()
    header: tuple[tuple[str, str], ...] = ()
    """Field names (in any case) and patterns."""
    account: str
    mailbox: str | None = None
    """An address, `sender` (the mailbox that the From address names), or `None`: the mailbox of the
    signed-in user, or `sender` if there is none."""
    rewrite_from: RewriteFrom = "when-needed"
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True
    invitations: Literal["mime", "as-content"] = "as-content"
    reply_to: str | None = None
    bcc_always: tuple[str, ...] = ()
    """Additional recipients of every message, who are not named in it."""
    subject_prefix: str = ""
    redirect_to: str | None = None
    """For trials: who receives everything instead of the recipients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingInput:
    """What routing knows about a message."""

    envelope: Envelope
    origin: Origin
    authors: tuple[Address, ...] = ()
    """Every address in every From field."""
    senders: tuple[Address, ...] = ()
    """Every address in every Sender field."""
    header: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Decoded values of the fields that routes ask for, by name in lower case."""

    @property
    def sender(self) -> Address | None:
        """The visible sender: the first author, else the envelope sender."""
        return self.authors[0] if self.authors else self.envelope.reverse_path


def failing(route: Route, transaction: RoutingInput) -> Condition | None:
    """The first condition that fails for all recipients; to be evaluated once for a message."""
    if route.sender and not _is_named(transaction.sender, route.sender):
        return "sender"
    found = failing_on_connect(route, transaction.origin)
    if found is None and not all(_header_holds(transaction, *one) for one in route.header):
        return "header"
    return found


def takes(route: Route, recipient: Address) -> bool:
    """Whether the condition `recipient` holds, the only one that differs within a message."""
    return not route.recipient or recipient.matches(route.recipient)


def failing_on_connect(route: Route, origin: Origin) -> Condition | None:
    """The first condition that fails, of those that are known before any mail."""
    if route.listener and origin.listener not in route.listener:
        return "listener"
    if route.login and origin.login not in route.login:
        return "login"
    if route.client and not _within(origin.client, route.client):
        return "client"
    return None


def _is_named(sender: Address | None, patterns: tuple[str, ...]) -> bool:
    if sender is None:
        return any(fnmatchcase("<>", pattern) for pattern in patterns)
    return sender.matches(patterns)


def _header_holds(transaction: RoutingInput, name: str, pattern: str) -> bool:
    values = transaction.header.get(name.lower(), ())
    small = in_small_letters(pattern)
    return any(fnmatchcase(in_small_letters(value), small) for value in values)


@lru_cache(maxsize=4096)
def _within(client: str, networks: tuple[Network, ...]) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(client)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def why_not(route: Route, transaction: RoutingInput, recipient: Address) -> str | None:
    """For administrators: which condition fails and what it requires; `None` if none does."""
    condition = failing(route, transaction)
    if condition != "sender" and not takes(route, recipient):
        condition = "recipient"
    match condition:
        case None:
            return None
        case "header":
            return next(
                f"header {name} is {_listed(transaction.header.get(name.lower(), ())) or 'absent'}"
                f", not {pattern}"
                for name, pattern in route.header
                if not _header_holds(transaction, name, pattern)
            )
        case condition:
            origin = transaction.origin
            found = {
                "sender": str(transaction.sender or "<>"),
                "recipient": str(recipient),
                "listener": origin.listener,
                "login": origin.login or "none",
                "client": origin.client,
            }[condition]
            return f"{condition} is {found}, not {_listed(getattr(route, condition))}"


def _listed(values: Iterable[object]) -> str:
    return " or ".join(map(str, values))
