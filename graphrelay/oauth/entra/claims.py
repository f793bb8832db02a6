"""Reading a token's claims, for people.

Microsoft says that an access token is opaque to its client, and those of personal accounts are not
JWTs. So what is read here is shown, or compared with what was requested, and never decides whether
a token is used. Nothing is verified: the token came from Entra over TLS.
"""

import base64
import json
from typing import Any


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT (RFC 7519 section 3); empty for anything else."""
    match token.split("."):
        case [_, payload, _]:
            padded = payload + "=" * (-len(payload) % 4)
            try:
                claims = json.loads(base64.b64decode(padded, altchars="-_", validate=True))
            except (RecursionError, ValueError):
                return {}
            return claims if isinstance(claims, dict) else {}
    return {}


def roles_of(token: str) -> tuple[str, ...]:
    """The application roles that a token carries."""
    roles = claims_of(token).get("roles")
    return tuple(str(role) for role in roles) if isinstance(roles, list) else ()


def scopes_of(token: str) -> tuple[str, ...]:
    """The delegated scopes that a token carries."""
    scopes = claims_of(token).get("scp")
    return tuple(scopes.split()) if isinstance(scopes, str) else ()
