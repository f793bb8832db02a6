"""What was granted and not yet used up: codes, device codes, refresh tokens, browser sessions.

Authorization codes are valid for 10 minutes and work once. Refresh tokens roll: each refresh
returns a new one, and the old one continues to work; each is valid for 90 days from its issue, so
an authorization that is used within that time never ends. A device code moves from pending to
approved or declined, once.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from graphrelay.sandbox.directory import App, User
from graphrelay.sandbox.entra.authorities import Authority
from graphrelay.sandbox.entra.redirects import Platform
from graphrelay.sandbox.entra.scopes import Wanted

CODE_LIFETIME = timedelta(minutes=10)
DEVICE_CODE_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=90)
KEPT = 20_000
"""Grants of each sort that are remembered; the oldest are forgotten first."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """A request to the authorize endpoint, checked."""

    redirect_uri: str
    platform: Platform
    response_mode: str
    state: str
    nonce: str
    challenge: str
    """PKCE `code_challenge`; empty where none was sent."""
    challenge_method: str
    client_info: bool


@dataclass(slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits until its code is entered elsewhere."""

    user_code: str
    expires_at: datetime
    state: "Pending | Approved | Declined"


@dataclass(frozen=True, slots=True)
class Pending:
    """The code has not been entered and decided on yet."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The user said no."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The user signed in and accepted."""

    user: User


@dataclass(slots=True, kw_only=True)
class SignIn:
    """A user with a browser, on the way through the pages."""

    id: str
    authority: Authority
    app: App
    wanted: Wanted
    purpose: CodeRequest | DeviceRequest
    prompt: str = ""
    login_hint: str = ""
    cae: bool = False
    user: User | None = None


@dataclass(slots=True, kw_only=True)
class Code:
    """An authorization code."""

    app: App
    user: User
    wanted: Wanted
    request: CodeRequest
    cae: bool
    expires_at: datetime
    redeemed: bool = False


@dataclass(slots=True, kw_only=True)
class DeviceCode:
    """A device code, as the device polls with it."""

    app: App
    authority: Authority
    wanted: Wanted
    request: DeviceRequest
    cae: bool
    redeemed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """What a refresh token stands for: a user and a client."""

    client_id: str
    oid: str
    session: int
    """The user's `session` number when it was issued."""
    confidential: bool
    wanted: Wanted
    """What is refreshed where the request names no scope."""
    cae: bool
    issued_at: datetime
    with_mfa: bool
    """Whether the sign-in satisfied a demand for a second factor."""
    family: str
    """The same for all that came from one sign-in."""


@dataclass(slots=True)
class Grants:
    """Owner of all of them."""

    now: Callable[[], datetime]
    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    device_codes: dict[str, DeviceCode] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    refreshed: dict[str, RefreshToken] = field(default_factory=dict)
    """Refresh tokens that were used."""
    sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Browser session (cookie) -> the user's object id and `session` number."""

    def add_code(self, sign_in: SignIn, user: User, request: CodeRequest) -> str:
        return _keep(
            self.codes,
            "1." + secrets.token_urlsafe(400),
            Code(
                app=sign_in.app,
                user=user,
                wanted=sign_in.wanted,
                request=request,
                cae=sign_in.cae,
                expires_at=self.now() + CODE_LIFETIME,
            ),
        )

    def add_device_code(
        self, app: App, authority: Authority, wanted: Wanted, cae: bool
    ) -> tuple[str, DeviceRequest]:
        alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        request = DeviceRequest(
            user_code="".join(secrets.choice(alphabet) for _ in range(9)),
            expires_at=self.now() + DEVICE_CODE_LIFETIME,
            state=Pending(),
        )
        code = DeviceCode(app=app, authority=authority, wanted=wanted, request=request, cae=cae)
        return _keep(self.device_codes, "GA" + secrets.token_urlsafe(160), code), request

    def device_by_user_code(self, typed: str) -> DeviceCode | None:
        """The device of an entered code: case and dashes are ignored; `None` for an expired one."""
        wanted = typed.strip().replace("-", "").upper()
        for code in self.device_codes.values():
            waiting = isinstance(code.request.state, Pending)
            alive = self.now() < code.request.expires_at
            if code.request.user_code == wanted and waiting and alive:
                return code
        return None

    def add_refresh_token(self, user: User, token: RefreshToken) -> str:
        prefix = "M.C5_BAY.0." if user.personal else "1.A"
        return _keep(self.refresh_tokens, prefix + secrets.token_urlsafe(600), token)

    def refresh(self, token: str, *, once: bool) -> RefreshToken | None:
        """What a refresh token stands for; `None` for one that is unknown. With `once`, one that
        was used before ends its whole family."""
        found = self.refresh_tokens.get(token)
        if found is not None and once and token in self.refreshed:
            family = [key for key, one in self.refresh_tokens.items() if one.family == found.family]
            for key in family:
                del self.refresh_tokens[key]
            return None
        if found is not None:
            _keep(self.refreshed, token, found)
        return found

    def add_sign_in(self, sign_in: SignIn) -> SignIn:
        _keep(self.sign_ins, sign_in.id, sign_in)
        return sign_in

    def add_session(self, user: User) -> str:
        return _keep(self.sessions, secrets.token_urlsafe(120), (user.oid, user.session))


def _keep(kept: dict[str, Value], key: str, value: Value) -> str:
    kept[key] = value
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
    return key
