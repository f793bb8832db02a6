"""Chooses account, mailbox and From of a message, and decides whether it may be sent. Pure.

    RoutingInput ──▶ may this be sent? ──▶ first route that matches, per recipient ──▶ parts | Reply

`policy.sender` decides who may send as whom. It checks everything that the client gave together:
its login, the envelope sender, and every address in every From and Sender field.

The mailbox comes from the configuration, or from a header field with an address that may be one
(`policy.mailbox`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphrelay.model import Address, Lane, Origin, Plan, Reply, in_small_letters
from graphrelay.relay.accept.conditions import (
    Network,
    RewriteFrom,
    Route,
    RoutingInput,
    failing,
    failing_on_connect,
    takes,
    why_not,
)
from graphrelay.relay.policy.mailbox import SendingAccount, usable
from graphrelay.relay.policy.sender import SenderPolicy, shown

__all__ = [
    "Network",
    "RewriteFrom",
    "Route",
    "RoutingInput",
    "RoutingTable",
    "explain",
    "route",
    "table",
]

Parts = tuple[tuple[Plan, tuple[Address, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """Everything in the configuration that routing depends on."""

    routes: tuple[Route, ...]
    accounts: Mapping[str, SendingAccount]
    senders: SenderPolicy = field(default_factory=SenderPolicy)
    max_recipients: int = 500
    """Recipients of one submission (Exchange's default limit)."""
    header_names: tuple[str, ...] = ()
    """Fields that routes have conditions on, in lower case."""
    largest: Mapping[str, int] = field(default_factory=dict)
    """For each account the size in octets of the largest message that it can submit; without an
    entry, there is no limit."""
    largest_mime: int | None = None
    """Octets of the largest message that is sent as MIME. A larger one is taken apart, which
    destroys signatures and encryption."""
    request: int | None = None
    """Octets that one request carries: `largest_mime` with what is added to a message."""
    plans: "dict[tuple[int, Address | None, bool], Plan | Reply]" = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `_planned` has found for senders, who are few and come again."""


def table(
    routes: Iterable[Route],
    accounts: Iterable[SendingAccount],
    *,
    logins: Mapping[str, Sequence[str]] | None = None,
    max_recipients: int = 500,
    largest: Mapping[str, int] | None = None,
    largest_mime: int | None = None,
    request: int | None = None,
) -> RoutingTable:
    """With one account and no routes, that account sends everything."""
    by_name = {account.name: account for account in accounts}
    found = tuple(routes)
    if not found and len(by_name) == 1:
        found = (Route(name="default", account=next(iter(by_name))),)
    return RoutingTable(
        routes=found,
        accounts=by_name,
        senders=SenderPolicy(logins or {}),
        max_recipients=max_recipients,
        largest=largest or {},
        largest_mime=largest_mime,
        request=request,
        header_names=tuple({name.lower(): None for one in found for name, _ in one.header}),
    )


def route(transaction: RoutingInput, table: RoutingTable) -> Parts | Reply:
    """Plans with their recipients. Together these are the recipients of the envelope, each once,
    and those added by a route."""
    if refusal := refused_sender(transaction, table):
        return refusal
    groups: dict[int, tuple[Route, list[Address]]] = {}
    recipients = _each_once(transaction.envelope.forward_paths)
    fitting = [one for one in table.routes if failing(one, transaction) is None]
    for recipient in recipients.values():
        found = next((one for one in fitting if takes(one, recipient)), None)
        if found is None:
            who = f"from {shown(transaction.sender)} to {shown(recipient)}"
            return no_route(who, table)
        groups.setdefault(id(found), (found, []))[1].append(recipient)
    parts: list[tuple[Plan, tuple[Address, ...]]] = []
    for found, group in groups.values():
        planned = _planned(found, transaction, table)
        if isinstance(planned, Reply):
            return planned
        always = map(Address.parse, found.bcc_always)
        unseen = tuple(path for path in always if recipients.setdefault(path.key, path) is path)
        if unseen:
            group += unseen
            planned = replace(planned, unseen=unseen)
        parts += [(planned, piece) for piece in _pieces(tuple(group), found, table.max_recipients)]
    return tuple(parts)


def may_take(table: RoutingTable, origin: Origin, recipient: Address) -> bool:
    """Whether any route could take a recipient from this origin, whatever the message says."""
    return any(
        takes(one, recipient) and failing_on_connect(one, origin) is None for one in table.routes
    )


def largest_from(table: RoutingTable, origin: Origin, most: int) -> int:
    """The largest message that any route could take from this origin."""
    limits = [
        table.largest.get(one.account, most)
        for one in table.routes
        if failing_on_connect(one, origin) is None
    ]
    return min(most, max(limits, default=most))


def refused_size(parts: Parts, size: int, table: RoutingTable) -> Reply | None:
    """The refusal if an account cannot submit a message of that size."""
    for planned, _ in parts:
        account = planned.lane.account
        largest = table.largest.get(account)
        if largest is not None and size > largest:
            text = f"The message has {size} octets, and account {account!r} can submit {largest}"
            return Reply(552, "5.3.4", f"{text}; large_messages = true would let it through")
    return None


def _pieces(
    recipients: tuple[Address, ...], route: Route, most: int
) -> Iterable[tuple[Address, ...]]:
    """As many recipients as one submission can have. A redirected one has a single recipient."""
    if route.redirect_to:
        return (recipients,)
    return (recipients[at : at + most] for at in range(0, len(recipients), most))


def _each_once(paths: Iterable[Address]) -> dict[str, Address]:
    """By their keys."""
    once: dict[str, Address] = {}
    for path in paths:
        once.setdefault(path.key, path)
    return once


SEE_ROUTES = "see [[routes]] in the configuration"


def no_route(mail: str, table: RoutingTable) -> Reply:
    """The refusal of `mail` that no route takes; for now only, while there is no account at all."""
    if not table.accounts:
        return Reply(450, "4.3.5", "No account is configured yet; see graphrelay status")
    return Reply(550, "5.7.1", f"No route takes mail {mail}; {SEE_ROUTES}")


# --- Who may send as whom ------------------------------------------------------------------------


def refused_reverse_path(path: Address | None, origin: Origin, table: RoutingTable) -> Reply | None:
    """The refusal of MAIL FROM."""
    return table.senders.refusal(origin.login, {"MAIL FROM": (path,) if path else ()})


def refused_sender(transaction: RoutingInput, table: RoutingTable) -> Reply | None:
    """The refusal of any address from which the message would be sent."""
    path, login = transaction.envelope.reverse_path, transaction.origin.login
    claimed = {
        "MAIL FROM": (path,) if path else (),
        "From": transaction.authors,
        "Sender": transaction.senders,
    }
    refusal = table.senders.refusal(login, claimed)
    if refusal is None and not any(claimed.values()):
        return table.senders.refusal_of_nobody(login)
    return refusal


# --- Plans ---------------------------------------------------------------------------------------


_MOST_PLANS = 1_000


def _planned(route: Route, transaction: RoutingInput, table: RoutingTable) -> Plan | Reply:
    """The plan of a route of `table` for the message, or why there is none."""
    plans, account = table.plans, table.accounts[route.account]
    key = id(route), transaction.sender, bool(transaction.authors)
    found = plans.get(key)
    if found is None:
        if len(plans) >= _MOST_PLANS:
            plans.clear()
        found = plans[key] = _plan(route, account, *key[1:])
    return found


def _plan(
    route: Route, account: SendingAccount, sender: Address | None, is_author: bool
) -> Plan | Reply:
    """`is_author`: whether the sender is in From."""
    mailbox = _mailbox(route, account, sender)
    if isinstance(mailbox, Reply):
        return mailbox
    return Plan(
        route=route.name,
        lane=Lane(account.name, in_small_letters(mailbox)),
        from_address=_from_address(
            route.rewrite_from, account, mailbox, sender if is_author else None
        ),
        content=route.content,
        save_to_sent_items=route.save_to_sent_items,
        invitations=route.invitations,
        reply_to=route.reply_to,
        subject_prefix=route.subject_prefix,
        redirect_to=route.redirect_to,
    )


def _mailbox(route: Route, account: SendingAccount, sender: Address | None) -> str | Reply:
    if route.mailbox and route.mailbox != "sender":
        return account.mailbox_of(route.mailbox)
    # An application submits through any mailbox that it may use, and does not need Send As.
    of_sender = route.mailbox == "sender" or account.username is None
    if of_sender and sender and usable(account, sender):
        return account.mailbox_of(str(sender))
    outside = route.mailbox == "sender" and route.rewrite_from == "never"
    if account.default_mailbox and not outside:
        return account.default_mailbox
    return Reply(
        550,
        "5.7.1",
        f"Route {route.name!r} submits through the sender's own mailbox, and account "
        f"{account.name!r} has none for {shown(sender)}",
    )


def _from_address(
    rewrite: RewriteFrom, account: SendingAccount, mailbox: str, author: Address | None
) -> str | None:
    """The address for From; `None` if it is not to be changed."""
    if rewrite == "always" or author is None:
        return mailbox
    if rewrite == "never":
        return None
    may_stay = author.key == Address.parse(mailbox).key or usable(account, author)
    return None if may_stay and account.may_stand_in_from(str(author)) else mailbox


# --- Explanations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Considered:
    """A route that was considered for a recipient."""

    route: str
    why_not: str | None
    """The condition that failed; `None` if the route was taken."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a transaction is routed, and why."""

    considered: tuple[tuple[Address, tuple[Considered, ...]], ...]
    """For each recipient the routes in order, as far as they were considered."""
    result: Parts | Reply


def explain(transaction: RoutingInput, table: RoutingTable) -> Explanation:
    """Explain the route of a message to an administrator."""
    recipients = _each_once(transaction.envelope.forward_paths).values()
    considered = tuple((one, tuple(_considered(transaction, one, table))) for one in recipients)
    return Explanation(considered, route(transaction, table))


def _considered(
    transaction: RoutingInput, recipient: Address, table: RoutingTable
) -> Iterable[Considered]:
    for one in table.routes:
        reason = why_not(one, transaction, recipient)
        yield Considered(one.name, reason)
        if reason is None:
            return
