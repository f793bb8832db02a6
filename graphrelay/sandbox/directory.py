"""Who exists in the sandbox's cloud: tenants, users, applications, and what was consented to.

It is the only state that tests change by hand, so its values are mutable and it has few rules: a
user signs in by `upn` and sends from `addresses`; an application exists in every tenant that its
audience covers; delegated scopes are consented to per user or for a whole tenant, application roles
only ever by an administrator. Exchange's own grants (Send As, Full Access, RBAC for Applications)
are kept here too, because they belong to the same people and programs; only the Graph half reads
them.

    contoso()  a small company, an outsider's consumer account, one public and one confidential app
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from cryptography.x509 import Certificate

MSA_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts, which `consumers` stands for."""

BY_DEFAULT_ADMIN_ONLY = frozenset(
    {
        "Mail.Read",
        "Mail.Read.Shared",
        "Mail.ReadBasic",
        "Mail.ReadWrite",
        "Mail.ReadWrite.Shared",
        "Mail.Send.Shared",
    }
)
"""`Tenant.admin_only` as Microsoft's own consent policy has it in 2026, of what is known here."""

Kind = Literal["mailbox", "shared", "distribution-list", "no-mailbox"]
Audience = Literal[
    "AzureADMyOrg",
    "AzureADMultipleOrgs",
    "AzureADandPersonalMicrosoftAccount",
    "PersonalMicrosoftAccount",
]


def guid(name: str) -> str:
    """The same GUID for the same name in every run, so that tests and pages can be compared."""
    return str(uuid5(NAMESPACE_URL, f"https://sandbox.invalid/{name}"))


@dataclass(slots=True, kw_only=True)
class Tenant:
    """An Entra ID tenant: its GUID, and the domains that also name it."""

    id: str
    name: str
    domains: list[str]
    """The first is the initial one, such as `contoso.onmicrosoft.com`."""
    user_consent: bool = True
    """Whether users may consent by themselves; else an administrator must (AADSTS90094)."""
    admin_only: frozenset[str] = frozenset()
    """Delegated scopes that only an administrator may consent to, whatever `user_consent` says."""
    exists: bool = True


@dataclass(slots=True, kw_only=True)
class User:
    """A person or a thing with an object in a directory and usually a mailbox."""

    upn: str
    display_name: str
    tenant_id: str
    password: str = "pass"  # noqa: S105 (the sandbox's people keep no secrets)
    oid: str = ""
    addresses: list[str] = field(default_factory=list)
    """SMTP addresses, the primary one first; empty means the UPN alone."""
    kind: Kind = "mailbox"
    enabled: bool = True
    can_send_as: set[str] = field(default_factory=set)
    """Addresses of other mailboxes on which this user holds Send As."""
    send_on_behalf: set[str] = field(default_factory=set)
    """Addresses of other mailboxes on which this user holds Send on Behalf."""
    full_access: set[str] = field(default_factory=set)
    """Addresses of other mailboxes on which this user holds Full Access."""
    tokens_valid_from: datetime | None = None
    """When sessions were last revoked; see `Directory.revoke_sessions`."""
    session: int = 0
    """How often sessions were revoked: grants made under an earlier number are void."""
    password_expired: bool = False
    mfa_required: bool = False
    """Conditional Access wants a second factor, which the sandbox's page cannot give."""
    blocked_by_policy: bool = False
    """Conditional Access blocks the sign-in (AADSTS53003)."""

    def __post_init__(self) -> None:
        own = guid(f"user/{self.upn.casefold()}")
        # Microsoft account ids fill the last 16 digits only.
        self.oid = self.oid or (f"00000000-0000-0000{own[18:]}" if self.personal else own)
        self.addresses = self.addresses or [self.upn]

    @property
    def personal(self) -> bool:
        """A consumer account (outlook.com): opaque tokens, `/me` only."""
        return self.tenant_id == MSA_TENANT

    @property
    def primary_address(self) -> str:
        return self.addresses[0]

    def owns(self, address: str) -> bool:
        """Whether `address` belongs to this user, ignoring case."""
        return address.casefold() in {own.casefold() for own in self.addresses}

    def may_send_as(self, address: str) -> bool:
        return address.casefold() in {other.casefold() for other in self.can_send_as}

    def may_send_on_behalf_of(self, address: str) -> bool:
        return address.casefold() in {other.casefold() for other in self.send_on_behalf}

    def has_full_access_to(self, address: str) -> bool:
        return address.casefold() in {other.casefold() for other in self.full_access}


@dataclass(slots=True, kw_only=True)
class Secret:
    """A client secret; administrators paste `id` where `value` is wanted."""

    value: str
    id: str = ""
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        self.id = self.id or guid(f"secret/{self.value}")


@dataclass(slots=True, kw_only=True)
class FederatedCredential:
    """An external issuer whose tokens are accepted in place of a secret."""

    issuer: str
    subject: str
    public_key: str
    """PEM; the real service fetches it from the issuer's JWKS."""
    audience: str = "api://AzureADTokenExchange"


@dataclass(slots=True, kw_only=True)
class ExchangeRole:
    """RBAC for Applications: an Exchange role for an application, within a management scope."""

    role: str
    """Such as `Application Mail.Send`."""
    scope: Callable[[User], bool]

    @classmethod
    def on(cls, role: str, mailboxes: Iterable[str]) -> "ExchangeRole":
        """`role` on exactly these mailboxes."""
        within = [mailbox.casefold() for mailbox in mailboxes]
        return cls(role=role, scope=lambda user: any(user.owns(mailbox) for mailbox in within))


@dataclass(slots=True, kw_only=True)
class App:
    """An app registration with its service principal in its home tenant."""

    display_name: str
    tenant_id: str
    client_id: str = ""
    service_principal_id: str = ""
    """The enterprise application's object id: the `oid` of app-only tokens."""
    audience: Audience = "AzureADMyOrg"
    enabled: bool = True
    public_redirect_uris: list[str] = field(default_factory=list)
    """Platform "mobile and desktop applications": redeemed without a secret."""
    web_redirect_uris: list[str] = field(default_factory=list)
    """Platform "web": redeemed with a secret or an assertion."""
    allow_public_client_flows: bool = False
    """Device code, and refreshing without a secret."""
    scopes: set[str] = field(default_factory=set)
    """Delegated permissions in the registration: what `.default` asks users for."""
    managed_identity: bool = False
    """A machine's own identity: no secret, tokens from the metadata service only."""
    roles: set[str] = field(default_factory=set)
    """Application permissions that an administrator has granted, such as `Mail.Send`."""
    exchange_roles: list[ExchangeRole] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    federated_credentials: list[FederatedCredential] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client_id = self.client_id or guid(f"app/{self.display_name}")
        self.service_principal_id = self.service_principal_id or guid(f"sp/{self.client_id}")

    def in_exchange_scope(self, role: str, mailbox: User) -> bool:
        """Whether Exchange's RBAC gives this application `role` on `mailbox`."""
        return any(held.role == role and held.scope(mailbox) for held in self.exchange_roles)


@dataclass(slots=True)
class Directory:
    """All users and applications, and the delegated scopes that were consented to."""

    tenants: list[Tenant] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    apps: list[App] = field(default_factory=list)
    consents: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(client id, object id of a user or id of a whole tenant) -> delegated scopes."""

    # Looking up ------------------------------------------------------------------------------

    def tenant(self, name: str) -> Tenant | None:
        """By GUID or by one of its domains."""
        wanted = name.casefold()
        for tenant in self.tenants:
            if tenant.exists and wanted in {tenant.id, *map(str.casefold, tenant.domains)}:
                return tenant
        return None

    def user(self, name: str) -> User | None:
        """By object id or UPN: what Graph takes in a URL, and people type to sign in."""
        wanted = name.casefold()
        for user in self.users:
            if wanted in (user.oid, user.upn.casefold()):
                return user
        return None

    def owner_of(self, address: str) -> User | None:
        """Who receives mail for `address`, aliases included."""
        wanted = address.casefold()
        for user in self.users:
            for own in user.addresses:
                if own.casefold() == wanted:
                    return user
        return None

    def primary_addresses(self) -> dict[str, str]:
        """Alias, in lower case -> primary address."""
        return {
            alias.casefold(): user.primary_address
            for user in self.users
            for alias in user.addresses[1:]
        }

    def app(self, client_id: str) -> App | None:
        return next((app for app in self.apps if app.client_id == client_id.casefold()), None)

    # Consent ---------------------------------------------------------------------------------

    def consent(self, app: App, scopes: Iterable[str], by: User | Tenant) -> None:
        """A user's consent, or an administrator's for the whole tenant."""
        self.consents.setdefault((app.client_id, _id(by)), set()).update(scopes)

    def withdraw(self, app: App, by: User | Tenant) -> None:
        """Take back every scope that was consented to."""
        self.consents.pop((app.client_id, _id(by)), None)

    def consented(self, app: App, user: User) -> frozenset[str]:
        """The delegated scopes that `app` may use for `user`."""
        own = self.consents.get((app.client_id, user.oid), set())
        return frozenset(own | self.consents.get((app.client_id, user.tenant_id), set()))

    def revoke_sessions(self, user: User, now: datetime) -> None:
        """As `Revoke-MgUserSignInSession` or a password reset: grants from before are void."""
        user.tokens_valid_from = now
        user.session += 1


def _id(who: User | Tenant) -> str:
    return who.oid if isinstance(who, User) else who.id


CONTOSO = guid("tenant/contoso")
CONSOLE_REDIRECT = "http://localhost/sign-in/microsoft"
"""Where users of the relay's console come back; any port of localhost will do."""
PUBLIC_CLIENT = guid("app/graphrelay")
CONFIDENTIAL_CLIENT = guid("app/graphrelay daemon")
CLIENT_SECRET = "sandbox~secret.value"  # noqa: S105 (known to every reader of this file)


def contoso() -> Directory:
    """The world that the sandbox starts with. Every password is `pass`.

    `wp@contoso.com` may send as the shared mailbox `info@contoso.com`; nobody has consented to
    anything yet; the confidential application holds the tenant-wide role `Mail.Send`.
    """
    tenant = Tenant(id=CONTOSO, name="Contoso", domains=["contoso.onmicrosoft.com", "contoso.com"])
    consumers = Tenant(id=MSA_TENANT, name="Microsoft account", domains=["outlook.com"])
    people = [
        User(upn="wp@contoso.com", display_name="Website", tenant_id=tenant.id),
        User(upn="info@contoso.com", display_name="Info", tenant_id=tenant.id, kind="shared"),
        User(upn="alice@contoso.com", display_name="Alice Example", tenant_id=tenant.id),
        User(upn="bob@contoso.com", display_name="Bob Example", tenant_id=tenant.id),
        User(upn="printer@contoso.com", display_name="Printer", tenant_id=tenant.id),
        User(upn="me@outlook.com", display_name="Me", tenant_id=MSA_TENANT),
    ]
    people[0].can_send_as.add("info@contoso.com")
    public = App(
        display_name="graphrelay",
        client_id=PUBLIC_CLIENT,
        tenant_id=tenant.id,
        audience="AzureADandPersonalMicrosoftAccount",
        public_redirect_uris=["http://localhost", CONSOLE_REDIRECT],
        allow_public_client_flows=True,
        scopes={"Mail.Send", "Mail.Send.Shared", "offline_access"},
    )
    confidential = App(
        display_name="graphrelay daemon",
        client_id=CONFIDENTIAL_CLIENT,
        tenant_id=tenant.id,
        web_redirect_uris=["http://localhost", CONSOLE_REDIRECT],
        roles={"Mail.Send"},
        secrets=[Secret(value=CLIENT_SECRET)],
    )
    machine = App(
        display_name="graphrelay vm",
        tenant_id=tenant.id,
        managed_identity=True,
        roles={"Mail.Send"},
    )
    return Directory([tenant, consumers], people, [public, confidential, machine])
