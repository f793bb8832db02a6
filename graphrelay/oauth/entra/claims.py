"""Reading a token's claims, for people.

Microsoft says that an access token is opaque to its client, and those of personal accounts are not
JWTs. So what is read here is shown, or compared with what was requested, and never decides whether
a token is used. Nothing is verified: the token came from Entra over TLS.
"""

from typing import Any

import jwt


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT; empty for anything else."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, RecursionError, ValueError):
        return {}


def roles_of(token: str) -> tuple[str, ...]:
    """The application roles that a token carries."""
    roles = claims_of(token).get("roles")
    return tuple(str(role) for role in roles) if isinstance(roles, list) else ()


def scopes_of(token: str) -> tuple[str, ...]:
    """The delegated scopes that a token carries."""
    scopes = claims_of(token).get("scp")
    return tuple(scopes.split()) if isinstance(scopes, str) else ()
