"""How an account may send: four scenarios, each with the least permissions that it needs.

A scenario is pinned. The admin configured it, and it alone decides which grant is used; nothing
that fails is ever tried again with a broader one.

    SendAsUser    one person signs in once      delegated scopes      /me, /users/{shared mailbox}
    Personal      the same, outlook.com         delegated scopes      /me
    AnyUser       nobody signs in               app role Mail.Send    every mailbox of the tenant
    ScopedUsers   nobody signs in               Exchange role         mailboxes in its scope

What each needs, and why, is a table that is shown before anyone consents
(https://learn.microsoft.com/graph/permissions-reference).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from graphrelay.model import Address, same_address

# --- Where a client secret is kept ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret given in the configuration or the environment."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret in a file of its own (a systemd credential); read at each use."""

    path: Path


SecretSource = SecretText | SecretFile

# --- Credentials: how an application proves itself without a person ------------------------------


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret of the app registration (its value, not its id)."""

    source: SecretSource
    ends_at: datetime | None = None
    """When it expires, as configured: a program that may only send cannot ask Entra."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key: PEM (both in `path`, or the key in `key_path`) or PFX."""

    path: Path
    key_path: Path | None = None
    passphrase: SecretSource | None = None


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity that Azure provides to the machine; `client_id` names a user-assigned one."""

    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """A token of another identity provider, in a file that another program keeps up to date."""

    path: Path


Credential = ClientSecret | Certificate | ManagedIdentity | FederatedToken

# --- Scenarios -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendAsUser:
    """One signed-in user of the tenant submits (`user`)."""

    username: str
    """Who signs in: the user principal name, which need not be an address of the mailbox."""
    shared: bool = False
    """Whether other mailboxes than the user's own may be used."""


@dataclass(frozen=True, slots=True)
class Personal:
    """The owner of an outlook.com account submits (`personal`)."""

    username: str


@dataclass(frozen=True, slots=True)
class AnyUser:
    """The application submits through any mailbox of the tenant (`any-user`)."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class ScopedUsers:
    """The application submits through the mailboxes that Exchange allows (`scoped-users`)."""

    credential: Credential


Delegated = SendAsUser | Personal
Application = AnyUser | ScopedUsers
Scenario = Delegated | Application

SCENARIO_NAMES: dict[type[Scenario], str] = {
    SendAsUser: "user",
    Personal: "personal",
    AnyUser: "any-user",
    ScopedUsers: "scoped-users",
}


def scenario_name(scenario: Scenario) -> str:
    """As the configuration spells it."""
    return SCENARIO_NAMES[type(scenario)]


# --- What an account does besides ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """What an account does beyond submitting mail in one request; each needs more permissions."""

    large_messages: bool = False
    """A message that is too large for one request goes through Drafts with an upload session."""
    exact_once: bool = False
    """Every message goes through Drafts, whose immutable ids show what has been sent."""
    bounces: bool = False
    """The mailbox is searched for non-delivery reports."""

    @property
    def may_look(self) -> bool:
        """Whether the account may look for messages in the mailbox (Mail.ReadWrite)."""
        return self.large_messages or self.exact_once


# --- What it needs -------------------------------------------------------------------------------


class PermissionKind(StrEnum):
    """Where a permission is granted."""

    SCOPE = "delegated permission"
    ROLE = "application permission"
    EXCHANGE_ROLE = "Exchange role"


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission that is requested, and why."""

    name: str
    kind: PermissionKind
    reason: str


LARGE = "messages over about 3 MB go through Drafts with an upload session"
BOUNCES = "Exchange's later reports of failure are read and matched to their messages"
EXACT = "a message whose answer was lost is looked for before it is sent again"


def permissions(account: "Account") -> tuple[Permission, ...]:
    """The least that `account` needs, to be shown and to be compared with what was granted."""
    options = account.options
    match account.scenario:
        case SendAsUser() | Personal() as scenario:
            return tuple(_scopes(scenario, options))
        case AnyUser():
            return tuple(_roles(options, PermissionKind.ROLE, ""))
        case ScopedUsers():
            return tuple(_roles(options, PermissionKind.EXCHANGE_ROLE, "Application "))


def _scopes(scenario: Delegated, options: AccountOptions) -> Iterator[Permission]:
    shared = isinstance(scenario, SendAsUser) and scenario.shared
    yield Permission("Mail.Send", PermissionKind.SCOPE, f"submit mail as {scenario.username}")
    if shared:
        reason = "submit from other mailboxes on which the user holds Send As or Send on Behalf"
        yield Permission("Mail.Send.Shared", PermissionKind.SCOPE, reason)
    if why := _why_read_write(options):
        yield Permission("Mail.ReadWrite", PermissionKind.SCOPE, why)
        if shared:
            yield Permission(
                "Mail.ReadWrite.Shared", PermissionKind.SCOPE, f"in other mailboxes, {why}"
            )
    elif options.bounces:
        yield Permission("Mail.Read", PermissionKind.SCOPE, BOUNCES)
        if shared:
            yield Permission(
                "Mail.Read.Shared", PermissionKind.SCOPE, f"in other mailboxes, {BOUNCES}"
            )
    yield Permission("offline_access", PermissionKind.SCOPE, "stay authorized without asking again")


def _roles(options: AccountOptions, kind: PermissionKind, prefix: str) -> Iterator[Permission]:
    where = (
        "every mailbox of the tenant"
        if kind is PermissionKind.ROLE
        else "the mailboxes in the scope"
    )
    yield Permission(f"{prefix}Mail.Send", kind, f"submit mail through {where}")
    if why := _why_read_write(options):
        yield Permission(f"{prefix}Mail.ReadWrite", kind, why)
    elif options.bounces:
        yield Permission(f"{prefix}Mail.Read", kind, BOUNCES)


def _why_read_write(options: AccountOptions) -> str:
    """The reasons for Mail.ReadWrite, which includes reading; empty where it is not needed."""
    if not options.may_look:
        return ""
    wanted = (
        (options.large_messages, LARGE),
        (options.exact_once, EXACT),
        (options.bounces, BOUNCES),
    )
    return "; ".join(reason for on, reason in wanted if on)


# --- Accounts ------------------------------------------------------------------------------------

CONSUMERS = "consumers"
"""The authority of personal Microsoft accounts."""


@dataclass(frozen=True)
class Account:
    """One authorization in Entra ID: who it is, how it may send, and through which mailboxes."""

    name: str
    tenant: str
    client_id: str
    scenario: Scenario
    mailboxes: tuple[str, ...] = ()
    """Addresses and `*@domain`. Empty: the user's own; an application has none."""
    options: AccountOptions = AccountOptions()
    address: str = ""
    """The primary SMTP address of the user's own mailbox; empty: the user name is that too."""
    aliases: tuple[str, ...] = ()
    """Further addresses of the user's own mailbox (proxyAddresses)."""
    user_ids: tuple[tuple[str, str], ...] = ()
    """For mailboxes whose address is not the user principal name: the address, and the user
    principal name or object id. Graph finds a mailbox by these two alone."""

    @cached_property
    def username(self) -> str | None:
        """Who signs in; `None` for an application."""
        return self.scenario.username if isinstance(self.scenario, Delegated) else None

    @property
    def authority_tenant(self) -> str:
        """The tenant of the authority: personal accounts have one of their own."""
        return CONSUMERS if isinstance(self.scenario, Personal) else self.tenant

    @cached_property
    def own_address(self) -> str | None:
        """What stands in From for the user's own mailbox, which is also what it is called here."""
        return (self.address or self.username) if self.username else None

    @cached_property
    def own_names(self) -> tuple[str, ...]:
        """Every name of the user's own mailbox: addresses and the user name."""
        return own_names(self.username, self.address, self.aliases)

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """The patterns that `may_use` compares with."""
        return self.mailboxes or self.own_names

    @cached_property
    def default_mailbox(self) -> str | None:
        """The user's own mailbox if it may be used, else the first that is named in full."""
        if self.own_address and self.may_use(self.own_address):
            return self.own_address
        return next((box for box in self.allowed if not box.startswith("*@")), None)

    def may_use(self, address: str) -> bool:
        """Whether `address` may be the mailbox. The user's own may be used by all of its names, as
        soon as one of them may."""
        names = self.own_names if self.is_own_mailbox(address) else (address,)
        return "@" in address and any(Address.parse(name).matches(self.allowed) for name in names)

    def is_own_mailbox(self, mailbox: str) -> bool:
        """Whether Graph is asked for `/me`."""
        return any(same_address(mailbox, name) for name in self.own_names)

    def mailbox_of(self, address: str) -> str:
        """The mailbox of an address: one that has several is always called by the same."""
        own = self.own_address
        return own if own and self.is_own_mailbox(address) else address

    def may_stand_in_from(self, address: str) -> bool:
        """False for what is known to be no address: a user name beside another address."""
        addresses = (self.own_address or "", *self.aliases)
        is_address = any(same_address(address, one) for one in addresses)
        return is_address or not (self.username and same_address(address, self.username))

    def user_of(self, mailbox: str) -> str | None:
        """By what Graph finds the mailbox in `/users/{…}`; `None`: it is `/me`."""
        if self.is_own_mailbox(mailbox):
            return None
        known = (user for address, user in self.user_ids if same_address(address, mailbox))
        return next(known, mailbox)


def own_names(username: str | None, address: str, aliases: Iterable[str]) -> tuple[str, ...]:
    """Every name of the mailbox of a user, each once; an application has none."""
    names = (address, username, *aliases) if username else ()
    return tuple(dict.fromkeys(name for name in names if name))


def uses_others(mailboxes: Iterable[str], own: tuple[str, ...]) -> bool:
    """Whether any of `mailboxes` is not the user's own, which has the names `own`."""
    return any(not any(same_address(box, name) for name in own) for box in mailboxes)


def risk_of(account: Account) -> str | None:
    """A warning for the admin before approving; `None` where only one user's mailbox is at risk."""
    if not isinstance(account.scenario, Application):
        return None
    return risk_of_any_user(account) or (
        "Anyone with this application's credential can send from every mailbox that its scope in "
        "Exchange covers."
    )


def risk_of_any_user(account: Account) -> str | None:
    """A risk that lasts, to be said wherever the account is shown; `None` for other scenarios."""
    if not isinstance(account.scenario, AnyUser):
        return None
    return (
        "Anyone with this application's credential can send as anyone in the tenant. "
        'scenario = "scoped-users" limits it to some mailboxes.'
    )
