"""How an application authenticates at the token endpoint.

A public client sends nothing, and sending something is an error (700025); a confidential one sends
a secret or an assertion, in the form or as HTTP Basic, and sending nothing is an error (7000218).
"""

import base64
import binascii
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import unquote_plus

from graphrelay.sandbox.directory import App
from graphrelay.sandbox.entra.assertions import ASSERTION_TYPE, check
from graphrelay.sandbox.entra.errors import Refused

Proof = Literal["0", "1", "2"]
"""As `appidacr` tells it: nothing, a secret, an assertion."""


def with_basic(form: Mapping[str, str], authorization: str) -> dict[str, str]:
    """The form with the credentials of an `Authorization: Basic` header (RFC 6749 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.casefold() != "basic":
        return dict(form)
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise Refused(90013) from problem
    return {**form, "client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}


def presented(form: Mapping[str, str]) -> bool:
    """Whether any credential was sent."""
    return bool(form.get("client_secret") or form.get("client_assertion"))


def prove(form: Mapping[str, str], app: App, audiences: Container[str], now: datetime) -> Proof:
    """Check the credential that was sent. Raises `Refused`."""
    if assertion := form.get("client_assertion"):
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused(50027)
        check(assertion, app, audiences, now)
        return "2"
    if secret := form.get("client_secret"):
        _check_secret(secret, app, now)
        return "1"
    raise Refused(7000218)


def require_public(form: Mapping[str, str]) -> Proof:
    """A public client must not send a credential."""
    if presented(form):
        raise Refused(700025)
    return "0"


def _check_secret(secret: str, app: App, now: datetime) -> None:
    matching = [one for one in app.secrets if one.value == secret]
    if not matching:
        raise Refused(7000215, app=app.client_id)
    if all(one.expires_at is not None and one.expires_at <= now for one in matching):
        raise Refused(7000222, app=app.client_id)
