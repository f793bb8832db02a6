"""What may come of asking for a token. All of it is data; nothing here is ever raised.

    Granted        here is one
    Unauthorized   nobody has run `graphrelay authorize` (or it was for another configuration)
    Refused        Entra said no, and will say so again until a person changes something
    Unreachable    no clear answer: the network, a proxy, or Entra in trouble; try again by itself
    VaultProblem   the vault cannot be read or written

No secret is ever in a `repr`, and none is in `reason`, `description` or `remedy`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An access token that is good for now."""

    access_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    """Scopes (delegated) or roles (application), without their resource; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unauthorized:
    """There is no authorization to ask with."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Entra refused. `kind` is for people and for choosing words, never for choosing a grant."""

    error: str
    """OAuth's `error` (RFC 6749 section 5.2); empty where the credential could not even be read."""
    kind: str
    """A class of the table in `refusals`, such as `consent` or `secret-expired`."""
    remedy: str
    description: str = ""
    """Microsoft's own text."""
    suberror: str = ""
    error_codes: tuple[int, ...] = ()
    """The AADSTS numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """No clear answer came; asking again may help."""

    reason: str
    retry_after: timedelta | None = None
    """How long Entra asked to be left alone, if it did."""
    malformed: bool = False
    """Whether an answer came that is none of OAuth: a sign-in that is under way ends with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultProblem:
    """The vault is locked, missing, damaged, full or silent."""

    reason: str
    remedy: str


NotGranted = Unauthorized | Refused | Unreachable | VaultProblem
TokenAnswer = Granted | NotGranted
