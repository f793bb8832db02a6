"""What Entra answers to a grant, as values. Nothing here imports what asks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from graphrelay.oauth.authorization import AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """Entra issued tokens."""

    access: AccessToken
    refresh_token: str | None = field(default=None, repr=False)
    id_claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tenant_id: str = ""
    """The tenant that was asked, where its id is known."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """The user has not entered the device code yet; ask again after `interval`."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """An authorization request (RFC 6749 section 4.1.1): where to send the browser."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    flow: Mapping[str, Any] = field(repr=False)
    """msal's own state: PKCE verifier, nonce, scopes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The claims of an ID token, and the tenant that was asked, where its id is known."""

    claims: Mapping[str, Any] = field(repr=False)
    tenant_id: str


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device authorization (RFC 8628 section 3.2)."""

    user_code: str
    verification_uri: str
    expires_in: timedelta
    interval: timedelta
    flow: Mapping[str, Any] = field(repr=False)
