"""The token endpoint: `POST /{tenant}/oauth2/v2.0/token`, one function for each grant.

authorization_code   code, redirect_uri, code_verifier   -> tokens of the user who signed in
refresh_token        refresh_token[, scope]              -> the same user, a new refresh token
device_code          device_code                         -> pending until the user decided
client_credentials   a secret or an assertion            -> the application itself
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.directory import App, User
from graphrelay.sandbox.entra.answers import UserGrant, app_answer, user_answer, wants_cae
from graphrelay.sandbox.entra.authorities import Authority, app_at, resolve
from graphrelay.sandbox.entra.clients import (
    Proof,
    presented,
    prove,
    require_public,
    with_basic,
)
from graphrelay.sandbox.entra.errors import Refused, error_answer, json_answer
from graphrelay.sandbox.entra.faults import changed, refresh_tokens_work_once, refusal, struck
from graphrelay.sandbox.entra.grants import (
    REFRESH_LIFETIME,
    Approved,
    Code,
    Declined,
    Grants,
    Pending,
    RefreshToken,
)
from graphrelay.sandbox.entra.scopes import Wanted, parse


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request, with what every grant needs of it."""

    form: dict[str, str]
    authority: Authority
    app: App
    audiences: frozenset[str]

    def wanted(self, cloud: Cloud) -> Wanted:
        return parse(
            self.form.get("scope", ""),
            cloud.graph_url,
            self.app.display_name,
            self.authority.name,
        )

    def required(self, parameter: str) -> str:
        if not (value := self.form.get(parameter, "")):
            raise Refused(900144, parameter=parameter)
        return value


class TokenEndpoint:
    """Answers requests for tokens."""

    def __init__(self, cloud: Cloud, grants: Grants) -> None:
        self._cloud = cloud
        self._grants = grants
        self._by_type: dict[str, Callable[[TokenRequest], dict[str, Any]]] = {
            "authorization_code": self._authorization_code,
            "refresh_token": self._refresh_token,
            "client_credentials": self._client_credentials,
            "urn:ietf:params:oauth:grant-type:device_code": self._device_code,
            "device_code": self._device_code,
        }

    async def post(self, request: web.Request) -> web.Response:
        form = {key: value for key, value in (await request.post()).items() if type(value) is str}
        correlation_id = request.headers.get("client-request-id", "") or str(uuid4())
        self._cloud.grant_types.append(form.get("grant_type", ""))
        fault = struck(self._cloud, request, "token", form)
        try:
            if fault is not None:
                raise refusal(fault)
            return json_answer(changed(self._cloud, request, self._answer(request, form)))
        except Refused as refused:
            answer = error_answer(refused, self._cloud.login_url, self._cloud.now(), correlation_id)
            if fault is not None and fault.retry_after:
                answer.headers["Retry-After"] = fault.retry_after
            return answer

    def _answer(self, request: web.Request, form: dict[str, str]) -> dict[str, Any]:
        segment = request.match_info["tenant"]
        authority = resolve(segment, self._cloud.directory)
        form = with_basic(form, request.headers.get("Authorization", ""))
        if not (grant_type := form.get("grant_type", "")):
            raise Refused(900144, parameter="grant_type")
        if grant_type not in self._by_type:
            raise Refused(70003, grant_type=grant_type)
        app = app_at(authority, form.get("client_id", ""), self._cloud.directory)
        audiences = _audiences(authority, segment, {self._cloud.login_url, _origin(request)})
        return self._by_type[grant_type](TokenRequest(form, authority, app, audiences))

    # The grants --------------------------------------------------------------------------------

    def _authorization_code(self, request: TokenRequest) -> dict[str, Any]:
        code = self._grants.codes.get(request.required("code"))
        if code is None or code.app is not request.app:
            raise Refused(70000)
        if code.request.platform == "public":
            proof = require_public(request.form)
        else:
            proof = self._prove(request)
        if code.redeemed:
            raise Refused(54005)
        if self._cloud.now() >= code.expires_at:
            raise Refused(70008)
        _check_code(request, code)
        code.redeemed = True
        self._check_user(code.user)
        return self._user_answer(
            request,
            UserGrant(
                app=code.app,
                user=code.user,
                wanted=code.wanted,
                proof=proof,
                cae=code.cae or wants_cae(request.form.get("claims", "")),
                with_mfa=code.user.mfa_required,
                nonce=code.request.nonce,
                offline="offline_access" in code.wanted.oidc,
            ),
        )

    def _refresh_token(self, request: TokenRequest) -> dict[str, Any]:
        once = refresh_tokens_work_once(self._cloud)
        token = self._grants.refresh(request.required("refresh_token"), once=once)
        if token is None:
            raise Refused(9002313)
        if token.client_id != request.app.client_id:
            raise Refused(70000)
        proof = self._prove(request) if token.confidential else require_public(request.form)
        user = self._user_of(token, request)
        return self._user_answer(
            request,
            UserGrant(
                app=request.app,
                user=user,
                wanted=request.wanted(self._cloud) if request.form.get("scope") else token.wanted,
                proof=proof,
                cae=token.cae or wants_cae(request.form.get("claims", "")),
                with_mfa=token.with_mfa,
                offline=True,
                family=token.family,
            ),
        )

    def _device_code(self, request: TokenRequest) -> dict[str, Any]:
        # No redirect URI shows the platform here, so the application's own setting decides.
        public = request.app.allow_public_client_flows
        proof = require_public(request.form) if public else self._prove(request)
        code = self._grants.device_codes.get(request.required("device_code"))
        if code is None or code.app is not request.app:
            raise Refused(70019)
        state = code.request.state
        if code.redeemed:
            raise Refused(70000)
        if isinstance(state, Declined):
            raise Refused(70017)
        if self._cloud.now() >= code.request.expires_at:
            raise Refused(70020)
        if isinstance(state, Pending):
            raise Refused(70016)
        code.redeemed = True
        self._check_user(state.user)
        return self._user_answer(
            request, _device_grant(request, code.wanted, state, proof, code.cae)
        )

    def _client_credentials(self, request: TokenRequest) -> dict[str, Any]:
        tenant = request.authority.tenant
        if tenant is None or request.authority.consumers:
            raise Refused(9001023)
        if not presented(request.form):
            raise Refused(7000216)
        proof = prove(request.form, request.app, request.audiences, self._cloud.now())
        scope = request.required("scope")
        if not scope.endswith("/.default") or " " in scope:
            raise Refused(1002012, scope=scope)
        request.wanted(self._cloud)
        cae = wants_cae(request.form.get("claims", ""))
        return app_answer(self._cloud, request.app, tenant, proof, cae=cae)

    # What several of them need -----------------------------------------------------------------

    def _prove(self, request: TokenRequest) -> Proof:
        return prove(request.form, request.app, request.audiences, self._cloud.now())

    def _user_of(self, token: RefreshToken, request: TokenRequest) -> User:
        """The user of a refresh token, if the grant is still valid."""
        user = self._cloud.directory.user(token.oid)
        if user is None:
            raise Refused(50034, user=token.oid, tenant=request.authority.name)
        if not request.authority.admits(user):
            raise Refused(70000)
        if user.session != token.session and user.tokens_valid_from is not None:
            raise Refused(
                50173,
                issued=_ticks(token.issued_at.isoformat()),
                valid_from=_ticks(user.tokens_valid_from.isoformat()),
            )
        if self._cloud.now() >= token.issued_at + REFRESH_LIFETIME:
            raise Refused(700082, issued=_ticks(token.issued_at.isoformat()))
        self._check_user(user)
        if user.mfa_required and not token.with_mfa:
            raise Refused(50076)
        return user

    def _check_user(self, user: User) -> None:
        if not user.enabled:
            raise Refused(50057)
        if user.password_expired:
            raise Refused(50055)
        if user.blocked_by_policy:
            raise Refused(53003)

    def _user_answer(self, request: TokenRequest, grant: UserGrant) -> dict[str, Any]:
        wants_info = request.form.get("client_info") == "1"
        return user_answer(self._cloud, self._grants, grant, client_info=wants_info)


def _device_grant(
    request: TokenRequest, wanted: Wanted, state: Approved, proof: Proof, cae: bool
) -> UserGrant:
    return UserGrant(
        app=request.app,
        user=state.user,
        wanted=wanted,
        proof=proof,
        cae=cae or wants_cae(request.form.get("claims", "")),
        with_mfa=state.user.mfa_required,
        offline="offline_access" in wanted.oidc,
    )


def _check_code(request: TokenRequest, code: Code) -> None:
    """The redirect URI and the PKCE verifier must be those of the authorization request."""
    redirect_uri = request.form.get("redirect_uri", "")
    if redirect_uri != code.request.redirect_uri:
        raise Refused(500112, redirect=redirect_uri, registered=code.request.redirect_uri)
    verifier = request.form.get("code_verifier", "")
    if code.request.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if verifier != code.request.challenge:
        raise Refused(501481)


def _audiences(authority: Authority, segment: str, bases: set[str]) -> frozenset[str]:
    """What an assertion may name as audience: the token endpoint, or the issuer."""
    names = {segment, authority.segment}
    if authority.tenant is not None:
        names |= {authority.tenant.id, *authority.tenant.domains}
    ends = ("/oauth2/v2.0/token", "/v2.0", "/")
    return frozenset(f"{base}/{name}{end}" for base in bases for name in names for end in ends)


def _origin(request: web.Request) -> str:
    return str(request.url.origin())


def _ticks(iso: str) -> str:
    """A time as Entra's texts write it, to the ten millionth of a second."""
    day, _, clock = iso.partition("T")
    clock = clock.split("+")[0]
    seconds, _, fraction = clock.partition(".")
    return f"{day}T{seconds}.{fraction:0<7}Z"
