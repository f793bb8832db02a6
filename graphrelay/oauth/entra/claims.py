"""Reading a token's claims, for people.

Microsoft says that an access token is opaque to its client, and those of personal accounts are not
even JWTs. So what is read here is shown, or compared with what was asked for, and never decides
whether a token is used. Nothing is verified: the token came from Entra over TLS.
"""

import base64
import binascii
import json
from typing import Any


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT; empty for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        return {}
    return payload if isinstance(payload, dict) else {}


def roles_of(token: str) -> tuple[str, ...]:
    """The application roles that a token carries."""
    roles = claims_of(token).get("roles")
    return tuple(str(role) for role in roles) if isinstance(roles, list) else ()


def scopes_of(token: str) -> tuple[str, ...]:
    """The delegated scopes that a token carries."""
    scopes = claims_of(token).get("scp")
    return tuple(scopes.split()) if isinstance(scopes, str) else ()
