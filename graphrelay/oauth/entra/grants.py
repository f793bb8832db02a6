"""The grants of OAuth 2.0 that a scenario can use, as verbs of one account.

    refresh         RFC 6749 section 6        a person signed in before
    by_credential   RFC 6749 section 4.4      an application, or the machine's managed identity
    begin_code, redeem                        a person signs in: RFC 6749 section 4.1, RFC 7636
    begin_device, poll_device                 a person signs in elsewhere: RFC 8628
    begin_identity, identify                  a person says who they are: OpenID Connect Core 1.0

The scenario decides which of them is used; none of them ever calls another. All of them block, and
run in the authorizing thread.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx

from graphrelay.clock import Clock
from graphrelay.oauth.answers import EntraFailure, TokenRefused
from graphrelay.oauth.authorization import AccessToken
from graphrelay.oauth.cloud import TokenCloud, permission_of
from graphrelay.oauth.entra.claims import roles_of, scopes_of
from graphrelay.oauth.entra.msal_client import (
    CAPABILITIES,
    Entra,
    EntraAnswer,
    not_text,
)
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.entra.responses import (
    CodeRequest,
    DeviceRequest,
    Identity,
    NotYet,
    TokenResponse,
)
from graphrelay.oauth.scenario import (
    Account,
    Application,
    ManagedIdentity,
    PermissionKind,
    Personal,
    permissions,
)

NOT_ASKED_FOR = frozenset({"offline_access"})
"""msal adds it (and openid, profile) by itself, and raises if it is given."""
IDENTITY = "openid profile"
DEFAULT_LIFE = timedelta(minutes=10)
"""Where an answer does not say (RFC 6749 section 5.1 only recommends it)."""
LONGEST_LIFE = timedelta(days=7)
"""Whatever an answer says. Entra's last 28 hours at most, and dates must not overflow."""


LONGEST_CODE = 3_600
LONGEST_INTERVAL = 60
"""Seconds; Entra's device codes are good for 900, and are asked about every 5."""


class Grants:
    """What can be asked of Entra for one account."""

    def __init__(self, account: Account, cloud: TokenCloud, http: Http, clock: Clock) -> None:
        self.account = account
        self._cloud, self._clock = cloud, clock
        self._entra = Entra(account, cloud, http, clock)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The delegated scopes that the account's configuration needs, without their resource."""
        wanted = permissions(self.account)
        return tuple(
            p.name for p in wanted if p.kind is PermissionKind.SCOPE and p.name not in NOT_ASKED_FOR
        )

    def last_answer(self) -> Mapping[str, object]:
        """What Entra answered last, member by member, without secrets."""
        return self._entra.last_answer

    def close(self) -> None:
        self._entra.close()

    # Without a person ------------------------------------------------------------------------

    def refresh(
        self, refresh_token: str, granted: tuple[str, ...], challenge: str = ""
    ) -> TokenResponse | EntraFailure:
        """Request what is needed and was granted: a permission that was configured later waits
        for the next `authorize` and does not stop the mail."""
        have = {permission_of(scope).casefold() for scope in granted}
        wanted = [scope for scope in self.scopes if scope.casefold() in have] or list(self.scopes)
        data = {"claims": self._claims(challenge)}
        return self._request(
            lambda app: app.acquire_token_by_refresh_token(
                refresh_token, self._full(wanted), data=data
            ),
            (refresh_token,),
        )

    def by_credential(self, challenge: str = "") -> TokenResponse | EntraFailure:
        claims = challenge if _object(challenge) else None
        if isinstance(self._entra.credential, ManagedIdentity):
            resource = self._cloud.resource
            return self._request(
                lambda app: app.acquire_token_for_client(resource=resource, claims_challenge=claims)
            )
        scope = self._cloud.default_scope
        return self._request(
            # Unless the exceptions of the HTTP client are named, msal imports requests for its own.
            lambda app: app.acquire_token_for_client(
                [scope], claims_challenge=claims, http_exceptions=(httpx.HTTPError,)
            )
        )

    # A person in a browser -------------------------------------------------------------------

    def begin_code(self, redirect_uri: str) -> CodeRequest | EntraFailure:
        """Where to send the browser."""
        flow = self._entra.ask(
            lambda app: app.initiate_auth_code_flow(
                self._full(self.scopes),
                redirect_uri=redirect_uri,
                login_hint=self.account.username,
                # msal warns of anything but form_post. A loopback redirect is a plain GET
                # (RFC 8252 section 7.3), and PKCE makes a code that leaks worthless.
                response_mode="form_post",
            )
        )
        if not isinstance(flow, Mapping):
            return flow
        url = flow["auth_uri"].replace("response_mode=form_post", "response_mode=query")
        return CodeRequest(url, flow["state"], flow)

    def redeem(
        self, request: CodeRequest, answer: Mapping[str, str]
    ) -> TokenResponse | EntraFailure:
        """Exchange the authorization code. The caller has compared `state`."""
        return self._request(
            lambda app: app.acquire_token_by_auth_code_flow(dict(request.flow), dict(answer)),
            (answer.get("code", ""), request.flow["code_verifier"]),
        )

    # A person at another device --------------------------------------------------------------

    def begin_device(self) -> DeviceRequest | EntraFailure:
        """A code to enter elsewhere."""
        flow = self._entra.ask(lambda app: app.initiate_device_flow(self._full(self.scopes)))
        if not isinstance(flow, Mapping):
            return flow
        for member in ("device_code", "user_code", "verification_uri"):
            text = flow.get(member)
            if not isinstance(text, str) or not text or not text.isprintable():
                return self._entra.malformed(f"a device authorization without a {member}")
        return DeviceRequest(
            flow["user_code"],
            flow["verification_uri"],
            timedelta(seconds=min(max(flow["expires_in"], 1), LONGEST_CODE)),
            timedelta(seconds=min(max(flow["interval"], 1), LONGEST_INTERVAL)),
            flow,
        )

    def poll_device(
        self, request: DeviceRequest, interval: timedelta
    ) -> TokenResponse | NotYet | EntraFailure:
        """Ask once whether the user has signed in."""
        # A copy without msal's own time of the last attempt: our clock decides when to ask.
        flow = {k: v for k, v in request.flow.items() if k != "latest_attempt_at"}
        response = self._request(
            lambda app: app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True),
            (str(flow["device_code"]),),
        )
        match response:
            case TokenRefused(error="authorization_pending"):
                return NotYet(interval)
            case TokenRefused(error="slow_down"):
                return NotYet(interval + timedelta(seconds=5))  # RFC 8628 section 3.5
        return response

    # Who a person is -------------------------------------------------------------------------

    def begin_identity(self, redirect_uri: str) -> CodeRequest | EntraFailure:
        """Where to send the browser of a user who is only to be known: no permission is asked for,
        and no refresh token."""
        flow = self._entra.ask(
            lambda app: app.initiate_auth_code_flow(
                [],
                redirect_uri=redirect_uri,
                prompt="select_account",
                response_mode="form_post",  # as for begin_code
            )
        )
        if not isinstance(flow, Mapping):
            return flow
        url = httpx.URL(flow["auth_uri"])
        url = url.copy_set_param("response_mode", "query").copy_set_param("scope", IDENTITY)
        return CodeRequest(str(url), flow["state"], flow)

    def identify(self, request: CodeRequest, answer: Mapping[str, str]) -> Identity | EntraFailure:
        """Exchange the authorization code for an ID token. The caller has compared `state`, and
        msal compares the nonce. Nothing else is verified: the token came from Entra over TLS
        (OpenID Connect Core 1.0 section 3.1.3.7)."""
        given = self._entra.ask(
            lambda app: app.acquire_token_by_auth_code_flow(dict(request.flow), dict(answer)),
            (answer.get("code", ""), request.flow["code_verifier"]),
        )
        if not isinstance(given, Mapping):
            return given
        claims = given.get("id_token_claims")
        if not isinstance(claims, Mapping):
            return self._entra.malformed("no ID token")
        return Identity(claims, self._entra.tenant_id)

    # The token response ----------------------------------------------------------------------

    def _request(
        self, work: Callable[[Any], Any], secrets: tuple[str, ...] = ()
    ) -> TokenResponse | EntraFailure:
        asked_at = self._clock.now()
        answer = self._entra.ask(work, secrets)
        if not isinstance(answer, Mapping):
            return answer
        text = answer.get("access_token")
        if not isinstance(text, str) or not text:
            return self._entra.malformed("no access token")
        if wrong := not_text(answer):
            return self._entra.malformed(wrong)
        claims = answer.get("id_token_claims") or {}
        if not isinstance(claims, Mapping):
            return self._entra.malformed("an ID token that is not a JSON object")
        return TokenResponse(
            access=AccessToken(
                text=text,
                obtained_at=asked_at,
                expires_at=asked_at + _life(answer),
                scopes=self._granted(text, answer),
            ),
            refresh_token=answer.get("refresh_token") or None,
            id_claims=claims,
            tenant_id=self._entra.tenant_id,
        )

    def _granted(self, token: str, answer: EntraAnswer) -> tuple[str, ...]:
        if isinstance(self.account.scenario, Application):
            return roles_of(token)
        named = (answer.get("scope") or "").split()
        short = tuple(permission_of(scope) for scope in named)
        return short or scopes_of(token) or self.scopes

    def _full(self, scopes: "tuple[str, ...] | list[str]") -> list[str]:
        return [self._cloud.scope(scope) for scope in scopes]

    def _claims(self, challenge: str) -> str | None:
        """msal adds the client capabilities to every request but a refresh."""
        if isinstance(self.account.scenario, Personal):
            return challenge if _object(challenge) else None
        wanted = _object(challenge)
        wanted["access_token"] = {**_object(wanted.get("access_token")), "xms_cc": _CAPABLE}
        return json.dumps(wanted)


_CAPABLE = {"values": CAPABILITIES}


def _object(challenge: Any) -> dict[str, Any]:
    """A claims challenge, or a part of one; nothing where it is not a JSON object."""
    if isinstance(challenge, str):
        try:
            challenge = json.loads(challenge or "{}")
        except ValueError:
            return {}
    return challenge if isinstance(challenge, dict) else {}


def _life(answer: EntraAnswer) -> timedelta:
    """`expires_in`: a number, or text (managed identities)."""
    try:
        life = timedelta(seconds=max(0.0, float(answer["expires_in"])))
    except (KeyError, TypeError, ValueError, OverflowError):
        return DEFAULT_LIFE
    return min(life, LONGEST_LIFE)
