"""The successful answers of the token endpoint: tokens and their properties."""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.directory import App, Tenant, User
from graphrelay.sandbox.entra.clients import Proof
from graphrelay.sandbox.entra.errors import Refused
from graphrelay.sandbox.entra.grants import Grants, RefreshToken
from graphrelay.sandbox.entra.scopes import OIDC, Wanted
from graphrelay.sandbox.tokens import Issued, pairwise_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGrant:
    """A user who signed in, an application, and what it asks for now."""

    app: App
    user: User
    wanted: Wanted
    proof: Proof
    cae: bool
    with_mfa: bool
    nonce: str = ""
    offline: bool
    """Whether a refresh token goes with it."""
    family: str = ""
    """Of the refresh token that was used; empty after a sign-in."""


def user_answer(
    cloud: Cloud, grants: Grants, grant: UserGrant, *, client_info: bool
) -> dict[str, Any]:
    """The body for a delegated token. Raises `Refused` 65001 without consent."""
    scopes = _granted(cloud, grant)
    issued = cloud.tokens.for_user(grant.app, grant.user, scopes, cae=grant.cae, acr=grant.proof)
    body = _body(issued)
    body["scope"] = grant.wanted.answer(scopes)
    if grant.offline:
        body["refresh_token"] = grants.add_refresh_token(grant.user, _rolled(cloud, grant))
    if "openid" in grant.wanted.oidc:
        body["id_token"] = cloud.tokens.sign(_id_claims(cloud, grant))
    if client_info:
        body["client_info"] = client_info_of(grant.user)
    return body


def app_answer(
    cloud: Cloud, app: App, tenant: Tenant, proof: Proof, *, cae: bool
) -> dict[str, Any]:
    """The body for an app-only token: no refresh token, no scope."""
    return _body(cloud.tokens.for_app(app, tenant.id, acr=proof, cae=cae))


def client_info_of(user: User) -> str:
    """The account that msal files the tokens under."""
    info = {"uid": user.oid, "utid": user.tenant_id}
    return base64.urlsafe_b64encode(json.dumps(info).encode()).rstrip(b"=").decode()


def wants_cae(claims: str) -> bool:
    """Whether a `claims` parameter says that the client understands claims challenges."""
    try:
        capabilities = json.loads(claims or "{}")["access_token"]["xms_cc"]["values"]
        return "cp1" in (str(capability).casefold() for capability in capabilities)
    except (ValueError, KeyError, TypeError):
        return False


def _granted(cloud: Cloud, grant: UserGrant) -> frozenset[str]:
    """A work account's token contains all scopes that were consented to, a personal account's those
    that were requested."""
    consented = cloud.directory.consented(grant.app, grant.user)
    permissions = consented - OIDC
    enough = permissions if grant.wanted.default else grant.wanted.permissions <= permissions
    if not enough:
        raise Refused(65001, app=grant.app.client_id, app_name=grant.app.display_name)
    if grant.user.personal and not grant.wanted.default:
        return grant.wanted.permissions
    return consented - {"offline_access"}


def _rolled(cloud: Cloud, grant: UserGrant) -> RefreshToken:
    return RefreshToken(
        client_id=grant.app.client_id,
        oid=grant.user.oid,
        session=grant.user.session,
        confidential=grant.proof != "0",
        wanted=grant.wanted,
        cae=grant.cae,
        issued_at=cloud.now(),
        with_mfa=grant.with_mfa,
        family=grant.family or secrets.token_hex(8),
    )


def _body(issued: Issued) -> dict[str, Any]:
    seconds = int(issued.lifetime.total_seconds())
    return {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": issued.token,
    }


def _id_claims(cloud: Cloud, grant: UserGrant) -> dict[str, Any]:
    now = cloud.now().replace(microsecond=0)
    user = grant.user
    claims: dict[str, Any] = {
        "aud": grant.app.client_id,
        "iss": f"{cloud.login_url}/{user.tenant_id}/v2.0",
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + timedelta(hours=1)).timestamp()),
        "name": user.display_name,
        "oid": user.oid,
        "preferred_username": user.upn,
        "rh": "1." + secrets.token_urlsafe(32),
        "sub": pairwise_subject(user, grant.app.client_id),
        "tid": user.tenant_id,
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
    }
    if "email" in grant.wanted.oidc:
        claims["email"] = user.primary_address
    return {**claims, "nonce": grant.nonce} if grant.nonce else claims
