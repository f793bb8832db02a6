"""What the vault keeps for an account: the authorization, as one small JSON text.

    SignedIn   a person signed in; a refresh token stands for that, and rolls at each use
    Approved   an admin authorized an application; its credential is in the configuration

It carries the configuration that it was made for (`Binding`). An authorization is never used for
another scenario, tenant, client or user than it was given for: that would be somebody else's
consent.
"""

import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from graphrelay.oauth.cloud import Cloud
from graphrelay.oauth.scenario import Account, scenario_name

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Binding:
    """The part of the configuration that an authorization is given for."""

    scenario: str
    authority: str
    client_id: str
    username: str

    @classmethod
    def of(cls, account: Account, cloud: Cloud) -> "Binding":
        return cls(
            scenario_name(account.scenario),
            cloud.authority(account.authority_tenant),
            account.client_id,
            (account.username or "").casefold(),
        )

    def differences(self, other: "Binding") -> tuple[str, ...]:
        """What changed, by name."""
        names = ("scenario", "authority", "client_id", "username")
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token as it came from Entra."""

    text: str = field(repr=False)
    obtained_at: datetime
    expires_at: datetime
    scopes: tuple[str, ...]

    @property
    def life(self) -> timedelta:
        return self.expires_at - self.obtained_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """When, by whom and for what an account was authorized."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Another one each time that somebody authorizes; a refresh keeps it."""
    at: datetime
    by: str
    binding: Binding


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person signed in."""

    consent: Consent
    username: str
    """As Entra spells it."""
    tenant_id: str
    refresh_token: str = field(repr=False)
    access: AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """An admin let an application act by itself."""

    consent: Consent
    access: AccessToken


Authorization = SignedIn | Approved


def renewed(old: Authorization, access: AccessToken, refresh_token: str | None) -> Authorization:
    """After a refresh. An answer without a refresh token keeps the old one (RFC 6749 section 6)."""
    if isinstance(old, SignedIn):
        return replace(old, access=access, refresh_token=refresh_token or old.refresh_token)
    return replace(old, access=access)


class Unreadable(Exception):  # noqa: N818 (a condition, not a programming error)
    """What the vault holds is not an authorization of this format."""


def to_text(authorization: Authorization) -> str:
    """As the vault keeps it."""
    consent, access = authorization.consent, authorization.access
    document: dict[str, Any] = {
        "format": FORMAT,
        "id": consent.id,
        "authorized_at": consent.at.isoformat(),
        "authorized_by": consent.by,
        "binding": {
            "scenario": consent.binding.scenario,
            "authority": consent.binding.authority,
            "client_id": consent.binding.client_id,
            "username": consent.binding.username,
        },
        "access": {
            "text": access.text,
            "obtained_at": access.obtained_at.isoformat(),
            "expires_at": access.expires_at.isoformat(),
            "scopes": list(access.scopes),
        },
    }
    if isinstance(authorization, SignedIn):
        document["signed_in"] = {
            "username": authorization.username,
            "tenant_id": authorization.tenant_id,
            "refresh_token": authorization.refresh_token,
        }
    return json.dumps(document, separators=(",", ":"))


def from_text(text: str) -> Authorization:
    """The way back. Raises `Unreadable`, without the text in it."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise Unreadable(f"format {document['format']!r} is not known to this version")
        return _read(document)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Unreadable(f"it is not an authorization ({type(problem).__name__})") from None


def _read(document: dict[str, Any]) -> Authorization:
    consent = Consent(
        id=str(document["id"]),
        at=datetime.fromisoformat(document["authorized_at"]),
        by=str(document["authorized_by"]),
        binding=Binding(**document["binding"]),
    )
    access = AccessToken(
        text=str(document["access"]["text"]),
        obtained_at=datetime.fromisoformat(document["access"]["obtained_at"]),
        expires_at=datetime.fromisoformat(document["access"]["expires_at"]),
        scopes=tuple(document["access"]["scopes"]),
    )
    if (signed_in := document.get("signed_in")) is None:
        return Approved(consent=consent, access=access)
    return SignedIn(
        consent=consent,
        username=str(signed_in["username"]),
        tenant_id=str(signed_in["tenant_id"]),
        refresh_token=str(signed_in["refresh_token"]),
        access=access,
    )
