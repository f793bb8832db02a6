"""Managed identities: the metadata services of a virtual machine and of App Service.

Plain HTTP on a loopback port of its own, as 169.254.169.254 is. Strict about its protection against
strangers: the `Metadata` header, no `X-Forwarded-For`, and for App Service the secret header.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from graphrelay.sandbox.cloud import APP_SERVICE_PATH, Cloud
from graphrelay.sandbox.directory import App
from graphrelay.sandbox.faults import Fault, fault_kind
from graphrelay.sandbox.tokens import Issued

IMDS_PATH = "/metadata/identity/oauth2/token"
IMDS_VERSIONS = ("2018-02-01", "2019-08-01", "2021-02-01")
LIFETIME = timedelta(hours=24)


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class CachedIdentity(Fault):
    """Answer with the token that was issued before while it lasts, as Azure does: grants and
    revocations since then have no effect on it."""


RESOURCES = ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000")


class Metadata:
    """Answers for the machine's identities: the applications marked `managed_identity`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._issued: dict[str, Issued] = {}

    async def imds(self, request: web.Request) -> web.Response:
        if problem := self._imds_problem(request):
            return _imds_error(problem)
        app = self._identity(request)
        if app is None:
            return _imds_error("Identity not found")
        issued = self._issue(app, request)
        left = str(int((issued.principal.expires_at - self._cloud.now()).total_seconds()) - 1)
        return web.json_response(
            {
                "access_token": issued.token,
                "client_id": app.client_id,
                "expires_in": left,
                "expires_on": _seconds(issued.principal.expires_at),
                "ext_expires_in": left,
                "not_before": _seconds(issued.principal.issued_at),
                "refresh_token": "",
                "resource": request.query["resource"],
                "token_type": "Bearer",
            }
        )

    async def app_service(self, request: web.Request) -> web.Response:
        header = request.headers.get("X-IDENTITY-HEADER", "")
        if not secrets.compare_digest(header.encode(), self._cloud.identity_header.encode()):
            return _app_service_error(401, "Unauthorized")
        if request.query.get("api-version") != "2019-08-01":
            return _app_service_error(400, "Unsupported api-version")
        if not self._knows(request.query.get("resource", "")):
            return _app_service_error(400, "Invalid resource")
        app = self._identity(request)
        if app is None:
            return _app_service_error(400, "No User Assigned or Delegated Managed Identity found")
        issued = self._issue(app, request)
        return web.json_response(
            {
                "access_token": issued.token,
                "client_id": app.client_id,
                "expires_on": _seconds(issued.principal.expires_at),
                "resource": request.query["resource"],
                "token_type": "Bearer",
            }
        )

    def _imds_problem(self, request: web.Request) -> str:
        if request.headers.get("Metadata", "").casefold() != "true":
            return "Required metadata header not specified"
        if "X-Forwarded-For" in request.headers:
            return "Required metadata header not specified or not correct"
        version = request.query.get("api-version", "")
        if not version:
            return "Required query variable 'api-version' is missing"
        if version not in IMDS_VERSIONS:
            return f"The 'api-version' {version} is not supported"
        resource = request.query.get("resource", "")
        if not resource:
            return "Required query variable 'resource' is missing"
        return "" if self._knows(resource) else "AADSTS500011: The resource principal was not found"

    def _knows(self, resource: str) -> bool:
        return resource.rstrip("/") in (*RESOURCES, self._cloud.graph_url)

    def _identity(self, request: web.Request) -> App | None:
        """The one named in the request, else the first."""
        own = [app for app in self._cloud.directory.apps if app.managed_identity and app.enabled]
        for name in ("client_id", "object_id", "principal_id"):
            if wanted := request.query.get(name):
                own = [app for app in own if wanted in (app.client_id, app.service_principal_id)]
        return own[0] if own else None

    def _issue(self, app: App, request: web.Request) -> Issued:
        last = self._issued.get(app.client_id)
        if last is not None and last.principal.expires_at > self._cloud.now():
            method, path = request.method, request.path
            if self._cloud.faults.take(CachedIdentity, method=method, path=path) is not None:
                return last
        issued = self._cloud.tokens.for_app(app, app.tenant_id, acr="2", lifetime=LIFETIME)
        self._issued[app.client_id] = issued
        return issued


def register(app: web.Application, cloud: Cloud) -> None:
    """Mount the metadata services."""
    metadata = Metadata(cloud)
    app.router.add_get(IMDS_PATH, metadata.imds)
    app.router.add_get(APP_SERVICE_PATH, metadata.app_service)


def _imds_error(text: str) -> web.Response:
    body = {"error": "invalid_request", "error_description": text}
    return web.json_response(body, status=400)


def _app_service_error(status: int, text: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": text}, status=status)


def _seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
