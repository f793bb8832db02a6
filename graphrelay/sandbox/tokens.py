"""Access tokens: who holds one, and Graph's answer to an invalid one.

Work and school accounts get real JWTs, signed with this process's key and carrying the v1 claims
that Graph tokens have; personal accounts get opaque ones. A client must treat both as opaque, and
so does the Graph half: it asks `TokenIssuer.principal_of`, which remembers what was issued.

    token endpoint ── for_user / for_app ──▶ TokenIssuer ◀── principal_of(bearer) ── Graph half
"""

import base64
import hashlib
import json
import random
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypedDict

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from graphrelay.sandbox.directory import App, Directory, User

GRAPH = "https://graph.microsoft.com"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
REMEMBERED = 100_000
"""How many issued tokens are remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request to Graph is made by: a user through an application, or the application."""

    client_id: str
    tid: str
    oid: str
    """The user's object id; of an app-only token the service principal's."""
    upn: str | None
    """`None` for an app-only token."""
    scopes: frozenset[str]
    """Delegated permissions (`scp`), without the resource; empty for app-only tokens."""
    roles: frozenset[str]
    """Application permissions (`roles`); may be empty where only Exchange's RBAC grants."""
    issued_at: datetime
    expires_at: datetime
    session: int = 0
    """The user's `session` number when it was issued."""
    cae: bool = False
    """Whether the client said that it understands claims challenges (`xms_cc: cp1`)."""

    @property
    def app_only(self) -> bool:
        return self.upn is None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProblem:
    """Why Graph answers 401. `message` is Microsoft's own text."""

    message: str
    code: str = "InvalidAuthenticationToken"
    claims: str | None = None
    """A claims challenge in JSON (continuous access evaluation), for `WWW-Authenticate`."""
    several_lines: bool = False
    """Whether another challenge follows in a line of its own."""

    def www_authenticate(self, login_url: str) -> str:
        """The header's value; a client without CAE capability gets no claims."""
        challenge = (
            'Bearer realm="", '
            f'authorization_uri="{login_url}/common/oauth2/authorize", '
            f'client_id="{GRAPH_APP_ID}"'
        )
        if self.claims is None:
            return challenge
        encoded = base64.b64encode(self.claims.encode()).decode()
        return f'{challenge}, error="insufficient_claims", claims="{encoded}"'


EMPTY = TokenProblem(message="Access token is empty.")
MALFORMED = TokenProblem(message="CompactToken parsing failed with error code: 80049217")
UNKNOWN = TokenProblem(message="Access token validation failure. Invalid signature.")
EXPIRED = TokenProblem(message="Lifetime validation failed, the token is expired.")
EXPIRED_OPAQUE = TokenProblem(message="CompactToken validation failed with reason code: 80049228.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token."""

    token: str
    lifetime: timedelta
    principal: Principal


class _Life(TypedDict):
    issued_at: datetime
    expires_at: datetime


class TokenIssuer:
    """Makes access and id tokens and remembers whose they are."""

    def __init__(
        self, directory: Directory, now: Callable[[], datetime], dice: random.Random | None = None
    ) -> None:
        self._directory = directory
        self._now = now
        self._dice = dice or random.Random()  # noqa: S311 (lifetimes, not secrets)
        self._issued: dict[str, Principal] = {}
        self.lifetime: Callable[[], timedelta] = self._usual_lifetime
        """How long the next token lives; tests may put their own in its place."""

    def principal_of(self, bearer: str) -> Principal | TokenProblem:
        """Whose token this is, or the reason for Graph's 401. `bearer` is the token alone."""
        if not bearer:
            return EMPTY
        principal = self._issued.get(bearer)
        if principal is None:
            return UNKNOWN if bearer.count(".") == 2 else MALFORMED
        if principal.expires_at <= self._now():
            return EXPIRED if "." in bearer else EXPIRED_OPAQUE
        return self._still_good(principal)

    def for_user(
        self, app: App, user: User, scopes: Iterable[str], *, cae: bool = False, acr: str = "0"
    ) -> Issued:
        """A delegated token: `scp` holds `scopes`."""
        principal = Principal(
            client_id=app.client_id,
            tid=user.tenant_id,
            oid=user.oid,
            upn=user.upn,
            scopes=frozenset(scopes),
            roles=frozenset(),
            session=user.session,
            cae=cae,
            **self._life(cae),
        )
        if user.personal:
            token = "EwB" + secrets.token_urlsafe(840)
        else:
            token = self.sign(_user_claims(principal, app, user, acr))
        return self._remember(token, principal)

    def for_app(
        self,
        app: App,
        tenant_id: str,
        *,
        acr: str = "1",
        cae: bool = False,
        lifetime: timedelta | None = None,
    ) -> Issued:
        """An app-only token: `roles` as granted, no such claim where there are none."""
        principal = Principal(
            client_id=app.client_id,
            tid=tenant_id,
            oid=app.service_principal_id,
            upn=None,
            scopes=frozenset(),
            roles=frozenset(app.roles),
            cae=cae,
            **self._life(cae, lifetime),
        )
        return self._remember(self.sign(_app_claims(principal, app, acr)), principal)

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT signed with the key that the JWKS document shows."""
        kid = key_id()
        return jwt.encode(claims, signing_key(), "RS256", {"x5t": kid, "kid": kid})

    def forget(self, bearer: str) -> None:
        """Make Graph refuse a token before its time, as after a key roll."""
        self._issued.pop(bearer, None)

    def _life(self, cae: bool, lifetime: timedelta | None = None) -> "_Life":
        issued_at = self._now().replace(microsecond=0)
        lives = lifetime or (
            timedelta(hours=self._dice.uniform(20, 28)) if cae else self.lifetime()
        )
        whole = timedelta(seconds=int(lives.total_seconds()))
        return {"issued_at": issued_at, "expires_at": issued_at + whole}

    def _remember(self, token: str, principal: Principal) -> Issued:
        self._issued[token] = principal
        if len(self._issued) > REMEMBERED:
            del self._issued[next(iter(self._issued))]
        return Issued(token, principal.expires_at - principal.issued_at, principal)

    def _usual_lifetime(self) -> timedelta:
        return timedelta(seconds=self._dice.randint(3600, 5400) - 1)

    def _still_good(self, principal: Principal) -> Principal | TokenProblem:
        """Continuous access evaluation: only tokens of capable clients are revoked early."""
        user = self._directory.user(principal.oid) if principal.cae else None
        if user is None or user.session == principal.session:
            return principal
        revoked_at = user.tokens_valid_from or self._now()
        since = int(revoked_at.timestamp())
        challenge = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
        return TokenProblem(
            message="Continuous access evaluation resulted in challenge with result: "
            "InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
            claims=json.dumps(challenge),
        )


@lru_cache(maxsize=1)
def signing_key() -> rsa.RSAPrivateKey:
    """One key for the process: making it takes longer than everything else at the start of the
    sandbox."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@lru_cache(maxsize=1)
def key_id() -> str:
    numbers = signing_key().public_key().public_numbers()
    digest = hashlib.sha256(numbers.n.to_bytes(256, "big")).digest()
    return base64.urlsafe_b64encode(digest[:20]).rstrip(b"=").decode()


def _common_claims(principal: Principal, app: App, acr: str) -> dict[str, Any]:
    issued = int(principal.issued_at.timestamp())
    claims: dict[str, Any] = {
        "aud": GRAPH,
        "iss": f"https://sts.windows.net/{principal.tid}/",
        "iat": issued,
        "nbf": issued,
        "exp": int(principal.expires_at.timestamp()),
        "app_displayname": app.display_name,
        "appid": app.client_id,
        "appidacr": acr,
        "oid": principal.oid,
        "rh": "1." + secrets.token_urlsafe(32),
        "tenant_region_scope": "EU",
        "tid": principal.tid,
        "uti": secrets.token_urlsafe(16),
        "ver": "1.0",
        "xms_tcdt": 1577836800,
    }
    return {**claims, "xms_cc": ["CP1"]} if principal.cae else claims


def _user_claims(principal: Principal, app: App, user: User, acr: str) -> dict[str, Any]:
    return {
        **_common_claims(principal, app, acr),
        "acct": 0,
        "acr": "1",
        "amr": ["pwd"],
        "idtyp": "user",
        "ipaddr": "127.0.0.1",
        "name": user.display_name,
        "scp": " ".join(sorted(principal.scopes)),
        "sub": pairwise_subject(user, GRAPH_APP_ID),
        "unique_name": user.upn,
        "upn": user.upn,
        "wids": ["b79fbf4d-3ef9-4689-8143-76b194e85509"],
        "xms_idrel": "1 2",
        "xms_st": {"sub": pairwise_subject(user, app.client_id)},
    }


def _app_claims(principal: Principal, app: App, acr: str) -> dict[str, Any]:
    claims = {
        **_common_claims(principal, app, acr),
        "idp": f"https://sts.windows.net/{principal.tid}/",
        "idtyp": "app",
        "sub": principal.oid,
        "wids": ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"],
        "xms_idrel": "7 2",
    }
    return {**claims, "roles": sorted(principal.roles)} if principal.roles else claims


def pairwise_subject(user: User, client_id: str) -> str:
    """`sub` differs for each application (subject type `pairwise`)."""
    digest = hashlib.sha256(f"{user.oid}/{client_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
