"""The Entra ID half of the sandbox: discovery, sign-in pages, device codes and tokens.

authorize ──▶ pages ──▶ grants ──▶ token ──▶ answers        (errors: one table for all of them)
"""

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.entra.authorize import SignInPages
from graphrelay.sandbox.entra.device import DeviceFlow
from graphrelay.sandbox.entra.discovery import Discovery
from graphrelay.sandbox.entra.faults import EntraError, ExactRedirect
from graphrelay.sandbox.entra.grants import Grants
from graphrelay.sandbox.entra.token import TokenEndpoint

__all__ = ["EntraError", "ExactRedirect", "register"]


def register(app: web.Application, cloud: Cloud) -> None:
    """Mount the Entra half."""
    grants = Grants(cloud.now)
    discovery = Discovery(cloud)
    sign_in = SignInPages(cloud, grants)
    device = DeviceFlow(cloud, grants, sign_in)
    token = TokenEndpoint(cloud, grants)
    add = app.router.add_route
    add("GET", "/common/discovery/instance", discovery.instance)
    add("GET", "/{tenant}/v2.0/.well-known/openid-configuration", discovery.openid)
    add("GET", "/{tenant}/discovery/v2.0/keys", discovery.keys)
    add("GET", "/{tenant}/oauth2/v2.0/authorize", sign_in.authorize)
    add("POST", "/{tenant}/oauth2/v2.0/authorize", sign_in.authorize)
    add("POST", "/{tenant}/login", sign_in.login)
    add("POST", "/{tenant}/Consent/Set", sign_in.decide)
    add("POST", "/{tenant}/oauth2/v2.0/devicecode", device.devicecode)
    add("GET", "/devicelogin", device.enter)
    add("POST", "/devicelogin", device.entered)
    add("POST", "/{tenant}/oauth2/v2.0/token", token.post)
