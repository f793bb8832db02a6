"""What the vault keeps for an account: the authorization, as one small JSON text.

    SignedIn   a person signed in; the refresh token of that sign-in is replaced at each use
    Approved   an application; its credential is in the configuration, which authorizes it
    Withdrawn  `revoke` withdrew an application, whose credential is still in the configuration

It contains the configuration that it was given for (`Binding`). An authorization is never used for
another scenario, tenant, client or user: consent was not given for that.
"""

import json
import secrets
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_type_hints

from graphrelay.model import in_small_letters
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import Account, scenario_name


@dataclass(frozen=True, slots=True)
class Binding:
    """The part of the configuration that an authorization is given for."""

    scenario: str
    authority: str
    client_id: str
    username: str

    @classmethod
    def of(cls, account: Account, cloud: TokenCloud) -> "Binding":
        return cls(
            scenario_name(account.scenario),
            cloud.authority(account.authority_tenant),
            account.client_id,
            in_small_letters(account.username or ""),
        )

    def differences(self, other: "Binding") -> tuple[str, ...]:
        """The names of what differs."""
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
class User:
    """Who signed in, and the refresh token of that sign-in."""

    username: str
    """As Entra spells it."""
    tenant_id: str
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """When, by whom and for what an account was authorized, and the newest access token."""

    format: Literal[1] = 1
    """Of the JSON text. What every version since 0.1 wrote must stay readable, and, since relays
    of two releases may share a vault, a release writes what the one before it can read."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Each sign-in or approval has another; a refresh keeps it."""
    authorized_at: datetime
    authorized_by: str
    binding: Binding
    access: AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(_Given):
    """A person signed in."""

    signed_in: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(_Given):
    """An application, by its configuration or by an admin."""


Authorization = SignedIn | Approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """An application may not be used until it is authorized by hand, whatever is configured."""

    format: Literal[1] = 1
    withdrawn_at: datetime


Kept = Authorization | Withdrawn


def renewed(old: Authorization, access: AccessToken, refresh_token: str | None) -> Authorization:
    """After a refresh. An answer without a refresh token keeps the old one (RFC 6749 section 6)."""
    if isinstance(old, SignedIn) and refresh_token:
        user = replace(old.signed_in, refresh_token=refresh_token)
        return replace(old, access=access, signed_in=user)
    return replace(old, access=access)


def without_refresh_token(authorization: Authorization) -> Authorization:
    """For those who need to know of it, and not to use it."""
    if isinstance(authorization, Approved):
        return authorization
    return replace(authorization, signed_in=replace(authorization.signed_in, refresh_token=""))


class Unreadable(Exception):  # noqa: N818 (a condition, not a programming error)
    """What the vault holds is not an authorization of a format that this version reads."""


def to_text(authorization: Kept) -> str:
    """As the vault stores it."""
    return json.dumps(asdict(authorization), separators=(",", ":"), default=datetime.isoformat)


def from_text(text: str) -> Kept:
    """The reverse. Raises `Unreadable`, which never quotes the text."""
    try:
        found = json.loads(text)
        named = found if isinstance(found, dict) else {}
        if "withdrawn_at" in named:
            withdrawn: Withdrawn = _read(Withdrawn, found)
            return withdrawn
        given: Authorization = _read(SignedIn if "signed_in" in named else Approved, found)
    except _Wrong as wrong:
        part = wrong.part or "all of it"
    except (ValueError, RecursionError):
        part = "all of it"
    else:
        return given
    raise Unreadable(f"it is not an authorization of format 1 (see {part})")


class _Wrong(Exception):  # noqa: N818 (a condition)
    """A part of the document is missing, unknown or of another type."""

    def __init__(self, part: str) -> None:
        self.part = part


def _read(kind: Any, found: object, part: str = "") -> Any:
    """`found` in the document, under the name `part`, as a value of `kind`: nothing is guessed and
    nothing is ignored. Raises `_Wrong`."""
    match found:
        case dict() if isinstance(kind, type) and is_dataclass(kind):
            inside = f"{part}." if part else ""
            hints = get_type_hints(kind)
            for name in found.keys() - hints.keys():
                raise _Wrong(f"{inside}{name}")
            for one in fields(kind):
                has_default = one.default is not MISSING or one.default_factory is not MISSING
                if one.name not in found and not has_default:
                    raise _Wrong(f"{inside}{one.name}")
            return kind(
                **{
                    name: _read(hints[name], value, f"{inside}{name}")
                    for name, value in found.items()
                }
            )
        case str() if kind is str:
            return found
        case str() if kind is datetime:
            return _moment(found, part)
        case [*texts] if kind == tuple[str, ...] and all(isinstance(one, str) for one in texts):
            return tuple(texts)
        case int(1) if kind == Literal[1]:
            return found
    raise _Wrong(part)


def _moment(text: str, part: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Wrong(part) from None
    if moment.tzinfo is None:
        raise _Wrong(part)
    return moment
