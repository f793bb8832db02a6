"""Which account and mailbox submit a message, in whose name, and who may send it at all. Pure.

    Transaction ──▶ may this be sent? ──▶ first route that matches, per recipient ──▶ parts | Reply

Who may send as whom is one decision, taken here and nowhere else, on everything that the client
said about it at once: its login, the envelope sender, and every address in every From and Sender
field. A login that is limited to one address gets no other one out, whatever it writes where.

A mailbox comes from the configuration, or from a header that named an address which the account
may use; it becomes part of a URL, so only addresses of the plainest form are taken for one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, Protocol

from graphrelay.model import Address, Envelope, Lane, Origin, Plan, Reply

Network = IPv4Network | IPv6Network
RewriteFrom = Literal["never", "when-needed", "always"]
Parts = tuple[tuple[Plan, tuple[Address, ...]], ...]


class Account(Protocol):
    """What the router must know of an account."""

    @property
    def name(self) -> str: ...

    @property
    def default_mailbox(self) -> str | None: ...

    def may_use(self, address: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule: conditions (an empty one holds for everything), and what follows."""

    name: str
    sender: tuple[str, ...] = ()
    """Patterns (`*@contoso.com`) for the From address; for the envelope sender where there is no
    From. `<>` is the null sender."""
    recipient: tuple[str, ...] = ()
    listener: tuple[str, ...] = ()
    login: tuple[str, ...] = ()
    client: tuple[Network, ...] = ()
    account: str
    mailbox: str | None = None
    """An address, `sender` (the mailbox that the From address names), or `None`: the account's
    own."""
    rewrite_from: RewriteFrom = "when-needed"
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All that routing goes by."""

    routes: tuple[Route, ...]
    accounts: Mapping[str, Account]
    login_senders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Per login the patterns of addresses that it may send as; none given: any."""
    max_recipients: int = 500
    """Recipients of one submission (Exchange's default limit)."""


def table(
    routes: Iterable[Route],
    accounts: Iterable[Account],
    *,
    login_senders: Mapping[str, Sequence[str]] | None = None,
    max_recipients: int = 500,
) -> Table:
    """With one account and no routes, everything goes through that account."""
    by_name = {account.name: account for account in accounts}
    found = tuple(routes)
    if not found and len(by_name) == 1:
        found = (Route(name="default", account=next(iter(by_name))),)
    return Table(
        routes=found,
        accounts=by_name,
        login_senders=login_senders or {},
        max_recipients=max_recipients,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a client wants sent, as far as routing goes by it."""

    envelope: Envelope
    origin: Origin
    authors: tuple[Address, ...] = ()
    """Every address in every From field."""
    senders: tuple[Address, ...] = ()
    """Every address in every Sender field."""

    @property
    def sender(self) -> Address | None:
        """Who sends, to the eye: the first author, else the envelope sender."""
        return self.authors[0] if self.authors else self.envelope.reverse_path


def route(transaction: Transaction, table: Table) -> Parts | Reply:
    """Plans, each with its recipients, which together are the envelope's, each once."""
    if refusal := refused_sender(transaction, table):
        return refusal
    parts: dict[Plan, list[Address]] = {}
    plans: dict[str, Plan | Reply] = {}
    for recipient in _each_once(transaction.envelope.forward_paths):
        found = next((one for one in table.routes if matches(one, transaction, recipient)), None)
        if found is None:
            return _no_route(transaction.sender, recipient)
        if found.name not in plans:
            plans[found.name] = plan(found, transaction, table)
        planned = plans[found.name]
        if isinstance(planned, Reply):
            return planned
        parts.setdefault(planned, []).append(recipient)
    return tuple(
        (planned, tuple(recipients[start : start + table.max_recipients]))
        for planned, recipients in parts.items()
        for start in range(0, len(recipients), table.max_recipients)
    )


def _each_once(paths: Iterable[Address]) -> Iterable[Address]:
    once: dict[str, Address] = {}
    for path in paths:
        once.setdefault(path.key, path)
    return once.values()


# --- Who may send as whom ------------------------------------------------------------------------


def refused_sender(transaction: Transaction, table: Table) -> Reply | None:
    """The refusal where the login is limited to other addresses than those that were written."""
    login = transaction.origin.login
    allowed = table.login_senders.get(login, ()) if login is not None else ()
    if not allowed:
        return None
    path = transaction.envelope.reverse_path
    claimed = [
        *((("MAIL FROM", path),) if path else ()),
        *(("From", address) for address in transaction.authors),
        *(("Sender", address) for address in transaction.senders),
    ]
    for where, address in claimed:
        if not any_matches(allowed, str(address)):
            who = f"Login {login!r} may not send as {shown(address)} ({where})"
            return Reply(550, "5.7.1", f"{who}; it may send as {', '.join(allowed)}")
    return None


def shown(address: Address | None) -> str:
    """An address that a client wrote, fit for a reply: on one line, and not endless."""
    text = "".join(c if c.isprintable() else "?" for c in str(address or ""))
    return f"<{text[:100]}>"


# --- Conditions ----------------------------------------------------------------------------------


def matches(route: Route, transaction: Transaction, recipient: Address) -> bool:
    return could_match(route, transaction.origin, recipient) and (
        not route.sender or any_matches(route.sender, _pattern_text(transaction.sender))
    )


def could_match(route: Route, origin: Origin, recipient: Address) -> bool:
    """Whether the route takes this recipient from there, if the sender is right."""
    return (
        (not route.recipient or any_matches(route.recipient, str(recipient)))
        and (not route.listener or origin.listener in route.listener)
        and (not route.login or (origin.login is not None and origin.login in route.login))
        and (not route.client or _within(origin.client, route.client))
    )


def any_matches(patterns: Iterable[str], text: str) -> bool:
    folded = text.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def _pattern_text(sender: Address | None) -> str:
    return str(sender) if sender else "<>"


@lru_cache(maxsize=4096)
def _within(client: str, networks: tuple[Network, ...]) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(client)
    except ValueError:
        return False  # a Unix socket
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


SEE_ROUTES = "see [[routes]] in the configuration"


def _no_route(sender: Address | None, recipient: Address) -> Reply:
    who = f"from {shown(sender)} to {shown(recipient)}"
    return Reply(550, "5.7.1", f"No route takes mail {who}; {SEE_ROUTES}")


# --- What follows --------------------------------------------------------------------------------

_PLAIN_MAILBOX = re.compile(
    r"[A-Za-z0-9!$&'*+=^_`{|}~-]+(?:\.[A-Za-z0-9!$&'*+=^_`{|}~-]+)*@[A-Za-z0-9.-]+"
)


def plan(route: Route, transaction: Transaction, table: Table) -> Plan | Reply:
    """What `route` makes of the message, or why it cannot."""
    account = table.accounts[route.account]
    mailbox = _mailbox(route, account, transaction.sender)
    if isinstance(mailbox, Reply):
        return mailbox
    return Plan(
        route=route.name,
        lane=Lane(account.name, mailbox.casefold()),
        from_address=_from_address(route.rewrite_from, account, mailbox, transaction.authors),
        content=route.content,
        save_to_sent_items=route.save_to_sent_items,
    )


def _mailbox(route: Route, account: Account, sender: Address | None) -> str | Reply:
    if route.mailbox and route.mailbox != "sender":
        return route.mailbox
    if route.mailbox == "sender" and sender and usable(account, sender):
        return str(sender)
    outside = route.mailbox == "sender" and route.rewrite_from == "never"
    if account.default_mailbox and not outside:
        return account.default_mailbox
    return Reply(
        550,
        "5.7.1",
        f"Route {route.name!r} submits through the sender's own mailbox, and account "
        f"{account.name!r} has none for {shown(sender)}",
    )


def usable(account: Account, address: Address) -> bool:
    """Whether an address that a client wrote may name a mailbox of the account."""
    return bool(_PLAIN_MAILBOX.fullmatch(str(address))) and account.may_use(str(address))


def _from_address(
    rewrite: RewriteFrom, account: Account, mailbox: str, authors: tuple[Address, ...]
) -> str | None:
    """What From is to say; `None` where it may stay as it is."""
    if rewrite == "always" or not authors:
        return mailbox
    author = authors[0]
    if rewrite == "never" or author.key == mailbox.casefold() or usable(account, author):
        return None
    return mailbox
