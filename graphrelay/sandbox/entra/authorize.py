"""The authorize endpoint and the pages behind it: from a request to a code, or to an error.

    GET  /{tenant}/oauth2/v2.0/authorize   checks the request
    POST /{tenant}/login                   checks the password
    POST /{tenant}/Consent/Set             records the decision ──▶ redirect with code, or error

A request whose application or redirect URI is not known never redirects: the error stays on the
page. Everything else goes back to the application. `device` shares the pages, and ends elsewhere.
"""

from collections.abc import Mapping
from secrets import token_urlsafe
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.directory import App, User
from graphrelay.sandbox.entra import pages
from graphrelay.sandbox.entra.answers import client_info_of, wants_cae
from graphrelay.sandbox.entra.authorities import Authority, app_at, resolve
from graphrelay.sandbox.entra.errors import Refused
from graphrelay.sandbox.entra.faults import exact_redirect, refusal, struck
from graphrelay.sandbox.entra.grants import (
    Approved,
    CodeRequest,
    Declined,
    DeviceRequest,
    Grants,
    SignIn,
)
from graphrelay.sandbox.entra.redirects import landing, platform_of
from graphrelay.sandbox.entra.scopes import parse

SESSION = "ESTSAUTHPERSISTENT"
"""The cookie that keeps a browser signed in."""
MODES = ("query", "fragment", "form_post")


class SignInPages:
    """Leads a user with a browser through the pages."""

    def __init__(self, cloud: Cloud, grants: Grants) -> None:
        self._cloud = cloud
        self._grants = grants

    # The requests ------------------------------------------------------------------------------

    async def authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if request.method == "POST":
            posted = await request.post()
            query = {key: value for key, value in posted.items() if type(value) is str}
        try:
            authority = resolve(request.match_info["tenant"], self._cloud.directory)
            app = app_at(authority, query.get("client_id", ""), self._cloud.directory)
            exact = exact_redirect(self._cloud, request)
            target = _code_request(app, query, exact=exact)
        except Refused as refused:
            return self._dead_end(refused)
        try:
            if fault := struck(self._cloud, request, "authorize", query):
                raise refusal(fault)
            sign_in = self._sign_in(authority, app, target, query)
            return self.begin(sign_in, request)
        except Refused as refused:
            return self._send_back(target, _error_fields(refused, self._description(refused)))

    async def login(self, request: web.Request) -> web.Response:
        form = await _fields(request)
        sign_in = self._grants.sign_ins.get(form.get("flow", ""))
        if sign_in is None:
            return self._dead_end(Refused(90013))
        if form.get("choice") == "cancel":
            return self._cancel(sign_in)
        user = self._cloud.directory.user(form.get("email", "").strip())
        try:
            user = check_sign_in(sign_in, user, form)
        except Refused as refused:
            problem = f"{refused.text} (AADSTS{refused.code})"
            return self._login_page(sign_in, form.get("email", ""), problem)
        sign_in.user = user
        response = self._signed_in(sign_in, user)
        cookie = self._grants.add_session(user)
        response.set_cookie(SESSION, cookie, secure=True, httponly=True, samesite="None", path="/")
        return response

    async def decide(self, request: web.Request) -> web.Response:
        form = await _fields(request)
        sign_in = self._grants.sign_ins.get(form.get("flow", ""))
        if sign_in is None or sign_in.user is None:
            return self._dead_end(Refused(90013))
        if form.get("choice") != "accept":
            return self._cancel(sign_in)
        needed = sign_in.wanted.needed(sign_in.app.scopes)
        if not self._may_consent(sign_in, sign_in.user):
            return self._cancel(sign_in)
        self._cloud.directory.consent(sign_in.app, needed, by=sign_in.user)
        return self._finish(sign_in, sign_in.user)

    # The way through ---------------------------------------------------------------------------

    def begin(self, sign_in: SignIn, request: web.Request) -> web.Response:
        """Show the first page that is needed. Raises `Refused` where `prompt` forbids it."""
        self._grants.add_sign_in(sign_in)
        user = self._remembered(sign_in, request)
        if user is None and sign_in.prompt == "none":
            raise Refused(50058)
        if user is None or sign_in.prompt in ("login", "select_account"):
            return self._login_page(sign_in, sign_in.login_hint)
        sign_in.user = user
        return self._signed_in(sign_in, user)

    def _sign_in(
        self, authority: Authority, app: App, target: CodeRequest, query: Mapping[str, str]
    ) -> SignIn:
        if query.get("response_type", "") != "code":
            raise Refused(700054, response_type=query.get("response_type", ""))
        if query.get("response_mode", "query") not in MODES:
            raise Refused(90013)
        if target.challenge and not 43 <= len(target.challenge) <= 128:
            raise Refused(501491)
        if target.challenge_method not in ("", "plain", "S256"):
            raise Refused(90013)
        scope = query.get("scope", "")
        return SignIn(
            id=token_urlsafe(32),
            authority=authority,
            app=app,
            wanted=parse(scope, self._cloud.graph_url, app.display_name, authority.name),
            purpose=target,
            prompt=query.get("prompt", ""),
            login_hint=query.get("login_hint", ""),
            cae=wants_cae(query.get("claims", "")),
        )

    def _remembered(self, sign_in: SignIn, request: web.Request) -> User | None:
        """The user who is already signed in with this browser, if the request can mean that user.

        Without a login hint the browser's user is used without asking, as Entra does.
        """
        cookie = request.cookies.get(SESSION, "")
        oid, session = self._grants.sessions.get(cookie, ("", 0))
        user = self._cloud.directory.user(oid)
        if user is None or user.session != session or not sign_in.authority.admits(user):
            return None
        if not user.enabled or user.blocked_by_policy:
            return None
        hint = sign_in.login_hint.casefold()
        return user if hint in ("", user.upn.casefold()) else None

    def _signed_in(self, sign_in: SignIn, user: User) -> web.Response:
        """Ask for consent if it is missing, else finish."""
        needed = sign_in.wanted.needed(sign_in.app.scopes)
        missing = needed - self._cloud.directory.consented(sign_in.app, user)
        device = isinstance(sign_in.purpose, DeviceRequest)
        if not missing and not device and sign_in.prompt != "consent":
            return self._finish(sign_in, user)
        if sign_in.prompt == "none":
            app = sign_in.app
            raise Refused(
                65001, error="consent_required", app=app.client_id, app_name=app.display_name
            )
        action = f"/{sign_in.authority.segment}/Consent/Set"
        if missing and not self._may_consent(sign_in, user):
            tenant = self._cloud.directory.tenant(user.tenant_id)
            name = tenant.name if tenant else ""
            return pages.admin_approval(action, sign_in.id, sign_in.app.display_name, name)
        shown = needed if sign_in.prompt == "consent" else missing
        return pages.consent(
            action, sign_in.id, sign_in.app.display_name, user.upn, shown, device=device
        )

    def _may_consent(self, sign_in: SignIn, user: User) -> bool:
        tenant = self._cloud.directory.tenant(user.tenant_id)
        needed = sign_in.wanted.needed(sign_in.app.scopes)
        missing = needed - self._cloud.directory.consented(sign_in.app, user)
        return not missing or (
            tenant is not None and tenant.user_consent and not missing & tenant.admin_only
        )

    # The ends ----------------------------------------------------------------------------------

    def _finish(self, sign_in: SignIn, user: User) -> web.Response:
        self._grants.sign_ins.pop(sign_in.id, None)
        if isinstance(sign_in.purpose, DeviceRequest):
            sign_in.purpose.state = Approved(user)
            return pages.done(f"You have signed in to {sign_in.app.display_name}.")
        fields = {"code": self._grants.add_code(sign_in, user, sign_in.purpose)}
        if sign_in.purpose.client_info:
            fields["client_info"] = client_info_of(user)
        return self._send_back(sign_in.purpose, fields)

    def _cancel(self, sign_in: SignIn) -> web.Response:
        self._grants.sign_ins.pop(sign_in.id, None)
        if isinstance(sign_in.purpose, DeviceRequest):
            sign_in.purpose.state = Declined()
            return pages.done("You declined to sign in.")
        refused = Refused(65004)
        user = sign_in.user
        if user is not None and not self._may_consent(sign_in, user):
            tenant = self._cloud.directory.tenant(user.tenant_id)
            name = tenant.name if tenant else ""
            refused = Refused(90094, tenant=name, app_name=sign_in.app.display_name)
        fields = {**_error_fields(refused, self._description(refused)), "error_subcode": "cancel"}
        return self._send_back(sign_in.purpose, fields)

    def _send_back(self, target: CodeRequest, fields: Mapping[str, str]) -> web.Response:
        """Back to the application, in the requested response mode."""
        fields = {**fields, **({"state": target.state} if target.state else {})}
        if "code" in fields:
            fields["session_state"] = str(uuid4())
        place = landing(target.redirect_uri)
        if target.response_mode == "form_post":
            return pages.form_post(place, fields)
        mark = {"fragment": "#"}.get(target.response_mode, "&" if "?" in place else "?")
        location = f"{place}{mark}{urlencode(fields)}"
        return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})

    def _login_page(self, sign_in: SignIn, email: str, problem: str = "") -> web.Response:
        action = f"/{sign_in.authority.segment}/login"
        return pages.sign_in(action, sign_in.id, sign_in.app.display_name, email, problem)

    def _dead_end(self, refused: Refused) -> web.Response:
        return pages.refused(self._description(refused))

    def _description(self, refused: Refused) -> str:
        return refused.description(self._cloud.now(), str(uuid4()), str(uuid4()))


def check_sign_in(sign_in: SignIn, user: User | None, form: Mapping[str, str]) -> User:
    """Who signed in with this email address and password. Raises `Refused`."""
    email = form.get("email", "")
    if user is None:
        raise Refused(50034, user=email, tenant=sign_in.authority.name)
    if not sign_in.authority.admits(user):
        provider = "live.com" if user.personal else f"https://sts.windows.net/{user.tenant_id}/"
        app = sign_in.app
        raise Refused(
            50020,
            user=email,
            provider=provider,
            tenant=sign_in.authority.name,
            app=app.client_id,
            app_name=app.display_name,
        )
    if user.personal and sign_in.app.audience in ("AzureADMyOrg", "AzureADMultipleOrgs"):
        raise Refused(9002332, app=sign_in.app.client_id, app_name=sign_in.app.display_name)
    if form.get("password") != user.password:
        raise Refused(50126)
    if not user.enabled or user.kind != "mailbox":
        raise Refused(50057)
    if user.password_expired:
        raise Refused(50055)
    if user.blocked_by_policy:
        raise Refused(53003)
    return user


def _code_request(app: App, query: Mapping[str, str], *, exact: bool) -> CodeRequest:
    """The part of the request that names the redirect URI. Raises `Refused` 50011."""
    registered = [*app.public_redirect_uris, *app.web_redirect_uris]
    only = registered[0] if len(registered) == 1 else ""
    redirect_uri = query.get("redirect_uri", only)
    platform = platform_of(app, redirect_uri, exact=exact)
    if platform is None:
        raise Refused(50011, redirect=redirect_uri, app=app.client_id)
    challenge = query.get("code_challenge", "")
    return CodeRequest(
        redirect_uri=redirect_uri,
        platform=platform,
        response_mode=query.get("response_mode", "query"),
        state=query.get("state", ""),
        nonce=query.get("nonce", ""),
        challenge=challenge,
        challenge_method=query.get("code_challenge_method", "plain" if challenge else ""),
        client_info=query.get("client_info") == "1",
    )


def _error_fields(refused: Refused, description: str) -> dict[str, str]:
    return {"error": refused.error, "error_description": description}


async def _fields(request: web.Request) -> dict[str, str]:
    return {key: value for key, value in (await request.post()).items() if type(value) is str}
