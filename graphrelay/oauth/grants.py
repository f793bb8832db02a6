"""The grants of OAuth 2.0, each asked for through msal: the only place that knows msal.

msal speaks the protocol (discovery, PKCE, nonce, assertions). What it would remember is not used:
its token cache forgets at once and its memory of refusals is emptied before each request, because
the vault and TokenManager own that, by our clock and by our rules. So a secret that was mended
works at once, and no answer depends on msal's idea of time.

Every answer is Minted, Refused (also for a credential that cannot be read) or Unreachable. All of
this blocks, and runs in the one authorizing thread.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import msal as untyped_msal

from graphrelay.clock import Clock
from graphrelay.oauth.answers import Refused, Unreachable
from graphrelay.oauth.authorization import AccessToken
from graphrelay.oauth.claims import roles_of, scopes_of
from graphrelay.oauth.cloud import Cloud
from graphrelay.oauth.credentials import CredentialProblem, Material, material
from graphrelay.oauth.refusals import is_passing, refused, words
from graphrelay.oauth.scenario import Account, Application, Kind, ManagedIdentity, permissions
from graphrelay.oauth.wire import Exchange, Http, clock_error, retry_after

msal: Any = untyped_msal

# msal logs whole answers when they are not JSON, and requests at level debug.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)

NOT_ASKED_FOR = frozenset({"offline_access"})
"""msal adds it (and openid, profile) by itself, and refuses to be told."""
DEFAULT_LIFE = 600
"""Seconds, where an answer does not say (RFC 6749 section 5.1 only recommends it)."""
TOLERATED_CLOCK_ERROR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """Entra gave tokens."""

    access: AccessToken
    refresh_token: str | None = field(default=None, repr=False)
    id_claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class NotYet:
    """The device code waits for its person; ask again after `interval`."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """An authorization request (RFC 6749 section 4.1.1): where to send the browser."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    flow: Mapping[str, Any] = field(repr=False)
    """msal's own memory of it: PKCE verifier, nonce, scopes."""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device authorization (RFC 8628 section 3.2)."""

    user_code: str
    verification_uri: str
    expires_in: timedelta
    interval: timedelta
    flow: Mapping[str, Any] = field(repr=False)


Trouble = Refused | Unreachable


class _NoMemory(msal.TokenCache):  # type: ignore[misc]
    """A token cache that keeps nothing: the vault does."""

    def add(self, event: Any, now: Any = None) -> None:
        pass


class Grants:
    """What can be asked of Entra for one account."""

    def __init__(self, account: Account, cloud: Cloud, http: Http, clock: Clock) -> None:
        self.account = account
        self._cloud = cloud
        self._clock = clock
        managed = isinstance(_credential(account), ManagedIdentity)
        # A managed identity is answered for by the machine's own host, never through a proxy.
        self._exchange = Exchange(http.client(through_proxy=not managed))
        self._refusals: dict[str, Any] = {}
        self._app: Any = None
        self._material: Material | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The delegated scopes that the account's configuration needs, short."""
        wanted = permissions(self.account.scenario)
        return tuple(p.name for p in wanted if p.kind is Kind.SCOPE and p.name not in NOT_ASKED_FOR)

    def close(self) -> None:
        self._exchange.close()

    # Grants that need no person -------------------------------------------------------------

    def refresh(self, refresh_token: str, granted: tuple[str, ...]) -> "Minted | Trouble":
        """RFC 6749 section 6. Asks for what is needed and was granted: a permission that was
        configured later waits for the next `authorize`, it does not stop the mail."""
        wanted = [scope for scope in self.scopes if scope in granted] or list(self.scopes)
        return self._mint(
            lambda app: app.acquire_token_by_refresh_token(refresh_token, self._full(wanted)),
            (refresh_token,),
        )

    def by_credential(self) -> "Minted | Trouble":
        """RFC 6749 section 4.4, or the machine's managed identity."""
        if isinstance(_credential(self.account), ManagedIdentity):
            resource = self._cloud.resource
            return self._mint(lambda app: app.acquire_token_for_client(resource=resource))
        scope = self._cloud.default_scope
        return self._mint(lambda app: app.acquire_token_for_client([scope]))

    # Authorization code with PKCE (RFC 6749 section 4.1, RFC 7636) ---------------------------

    def begin_code(self, redirect_uri: str) -> "CodeRequest | Trouble":
        """Where to send the browser."""
        flow = self._ask(
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

    def redeem(self, request: CodeRequest, answer: Mapping[str, str]) -> "Minted | Trouble":
        """Exchange what the redirect brought. The caller has compared `state`."""
        return self._mint(
            lambda app: app.acquire_token_by_auth_code_flow(dict(request.flow), dict(answer)),
            (answer.get("code", ""), request.flow["code_verifier"]),
        )

    # Device code (RFC 8628) ------------------------------------------------------------------

    def begin_device(self) -> "DeviceRequest | Trouble":
        """A code that a person types in elsewhere."""
        flow = self._ask(lambda app: app.initiate_device_flow(self._full(self.scopes)))
        if not isinstance(flow, Mapping):
            return flow
        return DeviceRequest(
            str(flow["user_code"]),
            str(flow["verification_uri"]),
            timedelta(seconds=flow["expires_in"]),
            timedelta(seconds=flow["interval"]),
            flow,
        )

    def poll_device(
        self, request: DeviceRequest, interval: timedelta
    ) -> "Minted | NotYet | Trouble":
        """Ask once whether the person is done."""
        # A copy without msal's own time of the last attempt: our clock says when to ask.
        flow = {k: v for k, v in request.flow.items() if k != "latest_attempt_at"}
        minted = self._mint(
            lambda app: app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True),
            (str(flow["device_code"]),),
        )
        match minted:
            case Refused(error="authorization_pending"):
                return NotYet(interval)
            case Refused(error="slow_down"):
                return NotYet(interval + timedelta(seconds=5))  # RFC 8628 section 3.5
        return minted

    # How it is asked -------------------------------------------------------------------------

    def _mint(
        self, work: Callable[[Any], Any], secrets: tuple[str, ...] = ()
    ) -> "Minted | Trouble":
        asked_at = self._clock.now()
        answer = self._ask(work, secrets)
        if not isinstance(answer, Mapping):
            return answer
        text = answer.get("access_token")
        if not isinstance(text, str) or not text:
            return Unreachable(reason=f"{self._host} gave an answer without an access token.")
        return Minted(
            access=AccessToken(
                text=text,
                obtained_at=asked_at,
                expires_at=asked_at + _life(answer),
                scopes=self._granted(text, answer),
            ),
            refresh_token=answer.get("refresh_token") or None,
            id_claims=answer.get("id_token_claims") or {},
        )

    def _ask(
        self, work: Callable[[Any], Any], secrets: tuple[str, ...] = ()
    ) -> "Mapping[str, Any] | Trouble":
        """Everything that msal, httpx and Entra can do to us, in one of four forms."""
        self._exchange.last = None
        self._refusals.clear()
        try:
            answer = work(self._application())
        except CredentialProblem as problem:
            return Refused(
                error="",
                kind="credential-unreadable",
                description=problem.reason,
                remedy=problem.remedy,
            )
        except httpx.HTTPError as problem:
            return self._no_answer(problem)
        except Exception as problem:  # msal raises ValueError, KeyError, RuntimeError, its own …
            return self._odd_answer(problem)
        if not isinstance(answer, Mapping):
            return Unreachable(reason=f"{self._host} gave an answer that is not OAuth.")
        if "error" in answer:
            return self._refusal(answer, secrets)
        return answer

    def _application(self) -> Any:
        """msal's application; made anew when the credential changed. Discovers over the network."""
        credential = _credential(self.account)
        if isinstance(credential, ManagedIdentity):
            self._app = self._app or self._managed(credential)
            return self._app
        found = material(credential) if credential is not None else None
        if self._app is None or found != self._material:
            self._app, self._material = self._entra(found), found
        return self._app

    def _entra(self, found: Material | None) -> Any:
        common = {
            "authority": self._cloud.authority(self.account.authority_tenant),
            # The authority is what the admin configured; no central host is asked about it.
            "instance_discovery": False,
            "http_client": self._exchange,
            "http_cache": self._refusals,
            "token_cache": _NoMemory(),
            "azure_region": False,  # Else MSAL_FORCE_REGION in the environment would decide.
        }
        if found is None:
            return msal.PublicClientApplication(self.account.client_id, **common)
        return msal.ConfidentialClientApplication(
            self.account.client_id, client_credential=found.for_msal, **common
        )

    def _managed(self, identity: ManagedIdentity) -> Any:
        which = (
            msal.UserAssignedManagedIdentity(client_id=identity.client_id)
            if identity.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        return msal.ManagedIdentityClient(
            which,
            http_client=self._exchange,
            http_cache=self._refusals,
            token_cache=_NoMemory(),
        )

    def _full(self, scopes: "tuple[str, ...] | list[str]") -> list[str]:
        return [self._cloud.scope(scope) for scope in scopes]

    def _granted(self, token: str, answer: Mapping[str, Any]) -> tuple[str, ...]:
        if isinstance(self.account.scenario, Application):
            return roles_of(token)
        named = str(answer.get("scope") or "").split()
        short = tuple(self._cloud.permission(scope) for scope in named)
        return short or scopes_of(token) or self.scopes

    # What went wrong -------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        if isinstance(_credential(self.account), ManagedIdentity):
            return "the managed identity endpoint"
        return httpx.URL(self._cloud.login_url).host

    def _no_answer(self, problem: httpx.HTTPError) -> Unreachable:
        text = str(problem) or type(problem).__name__
        if "CERTIFICATE_VERIFY_FAILED" in text:
            text = f"its TLS certificate is not trusted ({text}); see ca_file in [cloud]"
        return Unreachable(reason=f"{self._host} cannot be reached: {text}")

    def _odd_answer(self, problem: Exception) -> "Refused | Unreachable":
        """msal gave up with an exception: look at the answer itself."""
        if isinstance(problem, RuntimeError) and "nonce" in str(problem):
            return Refused(
                error="",
                kind="replayed",
                description="The ID token belongs to another sign-in (its nonce is not ours).",
                remedy=words("Run: {authorize}", self.account),
            )
        response = self._exchange.last
        if response is None:
            return Unreachable(reason=f"{self._host}: {type(problem).__name__}")
        if self._is_busy(response.status_code):
            return self._busy(response)
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and "error" in body:
            return self._refusal(body, ())
        what = f"HTTP {response.status_code}, {response.headers.get('Content-Type', 'no type')}"
        return Unreachable(reason=f"{self._host} gave an answer that is not OAuth ({what}).")

    def _refusal(
        self, answer: Mapping[str, Any], secrets: tuple[str, ...]
    ) -> "Refused | Unreachable":
        response = self._exchange.last
        if response is not None and self._is_busy(response.status_code):
            return self._busy(response)
        if is_passing(answer):
            wait = retry_after(response, self._clock.now())
            return Unreachable(reason=f"{self._host}: {answer.get('error')}", retry_after=wait)
        return self._with_clock(refused(_scrubbed(answer, secrets + self._own()), self.account))

    def _is_busy(self, status: int) -> bool:
        """Azure's metadata service says 404 and 410 too while it is being updated."""
        managed = isinstance(_credential(self.account), ManagedIdentity)
        return status == 429 or status >= 500 or (managed and status in (404, 410))

    def _busy(self, response: httpx.Response) -> Unreachable:
        wait = retry_after(response, self._clock.now())
        return Unreachable(
            reason=f"{self._host} answered HTTP {response.status_code}.", retry_after=wait
        )

    def _with_clock(self, refusal: Refused) -> Refused:
        """Name the cause if it is our clock: Microsoft's sentence never says whose."""
        ahead = clock_error(self._exchange.last, self._clock.now())
        if refusal.kind != "clock" or ahead is None or abs(ahead) < TOLERATED_CLOCK_ERROR:
            return refusal
        which = "ahead of" if ahead > timedelta(0) else "behind"
        remedy = words(
            f"This machine's clock is {abs(ahead)} {which} Entra's. Set it (timedatectl), then "
            "run: {authorize}",
            self.account,
        )
        return Refused(
            error=refusal.error,
            kind=refusal.kind,
            remedy=remedy,
            description=refusal.description,
            suberror=refusal.suberror,
            error_codes=refusal.error_codes,
        )

    def _own(self) -> tuple[str, ...]:
        return (self._material.identity,) if self._material is not None else ()


def _credential(account: Account) -> Any:
    scenario = account.scenario
    return scenario.credential if isinstance(scenario, Application) else None


def _life(answer: Mapping[str, Any]) -> timedelta:
    """`expires_in`: a number, or the same as text (managed identities)."""
    try:
        return timedelta(seconds=max(0.0, float(answer.get("expires_in", DEFAULT_LIFE))))
    except (TypeError, ValueError, OverflowError):
        return timedelta(seconds=DEFAULT_LIFE)


def _scrubbed(answer: Mapping[str, Any], secrets: tuple[str, ...]) -> Mapping[str, Any]:
    """Without anything that we sent: an answer might quote the request."""
    text = str(answer.get("error_description") or "")
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return {**answer, "error_description": text}
