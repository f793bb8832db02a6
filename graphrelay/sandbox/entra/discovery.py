"""The documents that tell a client where everything is: OpenID Connect and instance discovery."""

import base64
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.entra.authorities import resolve
from graphrelay.sandbox.entra.errors import Refused, error_answer, json_answer
from graphrelay.sandbox.tokens import key_id, signing_key


class Discovery:
    """Answers the discovery requests."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def openid(self, request: web.Request) -> web.Response:
        """`GET /{tenant}/v2.0/.well-known/openid-configuration`."""
        segment = request.match_info["tenant"]
        base = self._cloud.login_url
        try:
            authority = resolve(segment, self._cloud.directory)
        except Refused as refused:
            # Only here does an unknown tenant have a separate error.
            refused.error = "invalid_tenant"
            return error_answer(refused, base, self._cloud.now(), str(uuid4()))
        place = authority.tenant.id if authority.tenant else authority.segment
        issuer = place if authority.tenant else "{tenantid}"
        if authority.segment == "consumers":
            place = "consumers"
        return json_answer(_openid_configuration(base, place, issuer, self._cloud.graph_url))

    async def keys(self, _request: web.Request) -> web.Response:
        """`GET /{tenant}/discovery/v2.0/keys`: the keys that id tokens are signed with."""
        numbers = signing_key().public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "kid": key_id(),
            "x5t": key_id(),
            "n": _number(numbers.n),
            "e": _number(numbers.e),
            "cloud_instance_name": "microsoftonline.com",
            "issuer": f"{self._cloud.login_url}/{{tenantid}}/v2.0",
        }
        return json_answer({"keys": [key]})

    async def instance(self, request: web.Request) -> web.Response:
        """`GET /common/discovery/instance`: which hosts are one cloud."""
        endpoint = request.query.get("authorization_endpoint", "")
        if not endpoint:
            refused = Refused(900144, parameter="authorization_endpoint")
            base = self._cloud.login_url
            return error_answer(refused, base, self._cloud.now(), str(uuid4()))
        tenant = urlsplit(endpoint).path.split("/")[1] or "common"
        host = urlsplit(self._cloud.login_url).netloc
        document = f"{self._cloud.login_url}/{tenant}/v2.0/.well-known/openid-configuration"
        return json_answer(
            {
                "tenant_discovery_endpoint": document,
                "api-version": request.query.get("api-version", "1.0"),
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            }
        )


def _openid_configuration(base: str, place: str, issuer: str, graph_url: str) -> dict[str, Any]:
    return {
        "token_endpoint": f"{base}/{place}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{base}/{place}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/{issuer}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{graph_url}/oidc/userinfo",
        "authorization_endpoint": f"{base}/{place}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/{place}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/{place}/oauth2/v2.0/logout",
        "claims_supported": [
            "sub",
            "iss",
            "cloud_instance_name",
            "cloud_instance_host_name",
            "cloud_graph_host_name",
            "msgraph_host",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "nonce",
            "preferred_username",
            "name",
            "tid",
            "ver",
            "at_hash",
            "c_hash",
            "email",
        ],
        "kerberos_endpoint": f"{base}/{place}/kerberos",
        "tenant_region_scope": None if issuer == "{tenantid}" else "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": urlsplit(graph_url).netloc,
        "rbac_url": "https://pas.windows.net",
    }


def _number(value: int) -> str:
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
