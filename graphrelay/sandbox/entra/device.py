"""The device code flow (RFC 8628): for machines without a browser.

POST /{tenant}/oauth2/v2.0/devicecode   a code to show, a code to poll with
GET  /devicelogin                       where a user enters the first one, on another machine
"""

from secrets import token_urlsafe
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.entra import pages
from graphrelay.sandbox.entra.answers import wants_cae
from graphrelay.sandbox.entra.authorities import app_at, resolve
from graphrelay.sandbox.entra.authorize import SignInPages
from graphrelay.sandbox.entra.errors import Refused, error_answer, json_answer
from graphrelay.sandbox.entra.faults import changed, refusal, struck
from graphrelay.sandbox.entra.grants import DEVICE_CODE_LIFETIME, DeviceCode, Grants, SignIn
from graphrelay.sandbox.entra.scopes import parse

INTERVAL = 5
"""Seconds between two polls, as Entra says."""


class DeviceFlow:
    """Hands out device codes and takes in user codes."""

    def __init__(self, cloud: Cloud, grants: Grants, sign_in_pages: SignInPages) -> None:
        self._cloud = cloud
        self._grants = grants
        self._pages = sign_in_pages

    async def devicecode(self, request: web.Request) -> web.Response:
        posted = await request.post()
        form = {key: value for key, value in posted.items() if type(value) is str}
        try:
            if fault := struck(self._cloud, request, "devicecode", form):
                raise refusal(fault)
            new = self._new_code(request.match_info["tenant"], form)
            return json_answer(changed(self._cloud, request, new))
        except Refused as refused:
            correlation_id = request.headers.get("client-request-id", "") or str(uuid4())
            base, now = self._cloud.login_url, self._cloud.now()
            return error_answer(refused, base, now, correlation_id)

    async def enter(self, _request: web.Request) -> web.Response:
        return pages.device_code()

    async def entered(self, request: web.Request) -> web.Response:
        typed = str((await request.post()).get("code", ""))
        code = self._grants.device_by_user_code(typed)
        if code is None:
            return pages.device_code("That code didn't work. Check the code and try again.")
        return self._pages.begin(self._sign_in(code), request)

    def _new_code(self, segment: str, form: dict[str, str]) -> dict[str, object]:
        authority = resolve(segment, self._cloud.directory)
        app = app_at(authority, form.get("client_id", ""), self._cloud.directory)
        scope = form.get("scope", "")
        wanted = parse(scope, self._cloud.graph_url, app.display_name, authority.name)
        cae = wants_cae(form.get("claims", ""))
        device_code, request = self._grants.add_device_code(app, authority, wanted, cae)
        address = f"{self._cloud.login_url}/devicelogin"
        return {
            "user_code": request.user_code,
            "device_code": device_code,
            "verification_uri": address,
            "expires_in": int(DEVICE_CODE_LIFETIME.total_seconds()),
            "interval": INTERVAL,
            "message": f"To sign in, use a web browser to open the page {address} and enter the "
            f"code {request.user_code} to authenticate.",
        }

    def _sign_in(self, code: DeviceCode) -> SignIn:
        return SignIn(
            id=token_urlsafe(32),
            authority=code.authority,
            app=code.app,
            wanted=code.wanted,
            purpose=code.request,
            cae=code.cae,
        )
