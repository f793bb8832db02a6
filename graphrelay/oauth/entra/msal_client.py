"""Asking Entra through msal. Whatever comes back becomes an answer, TokenRefused or
EntraUnreachable. No other module uses msal.

msal implements the protocol (discovery, PKCE, nonce, assertions). Its own state is not used: its
token cache stores nothing and its cache of refusals is emptied before each request, because the
vault and TokenManager own that state, by our clock and our rules. So a corrected secret works at
once, and nothing depends on msal's clock. All of this blocks.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from graphrelay.clock import Clock
from graphrelay.oauth.answers import EntraFailure, EntraUnreachable, TokenRefused
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.claims import claims_of
from graphrelay.oauth.entra.credentials import MsalCredential, msal_credential
from graphrelay.oauth.entra.import_msal import msal
from graphrelay.oauth.entra.msal_http import Http, RecordingClient, clock_error
from graphrelay.oauth.entra.refusals import is_passing, refused, words
from graphrelay.oauth.entra.secret_files import CredentialProblem
from graphrelay.oauth.scenario import (
    Account,
    Application,
    Credential,
    ManagedIdentity,
    Personal,
)
from graphrelay.retry_after import retry_after

if TYPE_CHECKING:
    from graphrelay.oauth.entra.key_pair import KeyPair

# msal logs whole answers when they are not JSON, and requests at level debug.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)

TOLERATED_CLOCK_ERROR = timedelta(minutes=5)
CAPABILITIES = ["cp1"]
"""We handle claims challenges (Continuous Access Evaluation), so Entra issues tokens that last for
a day and can be revoked at once
(https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation)."""

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The `tid` of all personal accounts
(https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference)."""
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

EntraAnswer = Mapping[str, Any]


SECRET_MEMBERS = frozenset(
    {"access_token", "refresh_token", "id_token", "client_info", "device_code", "user_code"}
)
"""Of the answers of Entra."""


class Entra:
    """Entra (or the machine's managed identity endpoint), as one account asks it."""

    def __init__(self, account: Account, cloud: TokenCloud, http: Http, clock: Clock) -> None:
        self._account, self._cloud, self._clock = account, cloud, clock
        managed = isinstance(self.credential, ManagedIdentity)
        # The managed identity endpoint is on the machine's own host, never behind a proxy.
        self._http = RecordingClient(http.client(through_proxy=not managed), http.overall_timeout)
        self._refusals: dict[str, Any] = {}
        self._app: Any = None
        self._msal_credential: MsalCredential | None = None

    @property
    def credential(self) -> Credential | None:
        """How the application authenticates; `None` where a user signs in."""
        scenario = self._account.scenario
        return scenario.credential if isinstance(scenario, Application) else None

    @property
    def host(self) -> str:
        """The host that is asked, for messages."""
        if isinstance(self.credential, ManagedIdentity):
            return "the managed identity endpoint"
        return httpx.URL(self._cloud.login_url).host

    @property
    def tenant_id(self) -> str:
        """The id of the tenant that is asked, in lower case, where it is known: by the account's
        configuration, or by discovery, which names it for a domain."""
        if isinstance(self._account.scenario, Personal):
            return PERSONAL_TENANT
        authority = getattr(self._app, "authority", None)
        path = httpx.URL(getattr(authority, "token_endpoint", "")).path
        for name in (self._account.authority_tenant, *path.split("/")[1:2]):
            if _GUID.fullmatch(name):
                return name.lower()
        return ""

    @property
    def last_answer(self) -> Mapping[str, object]:
        """The members of the last answer, which is that to a token request; of what is secret
        only the length."""
        body = _json(self._http.last) if self._http.last is not None else None
        members = body if isinstance(body, dict) else {}
        return {
            name: f"({len(str(value))} characters)" if name in SECRET_MEMBERS else value
            for name, value in members.items()
        }

    def close(self) -> None:
        self._http.close()

    def ask(
        self, work: Callable[[Any], Any], secrets: tuple[str, ...] = ()
    ) -> EntraAnswer | EntraFailure:
        """Call `work` with msal's application. A refusal never quotes anything of `secrets`."""
        self._http.begin()
        self._refusals.clear()
        try:
            answer = work(self._application())
        except CredentialProblem as problem:
            return self._no_credential(problem)
        except httpx.HTTPError as problem:
            return self._no_answer(problem)
        except Exception as problem:  # msal raises ValueError, KeyError, RuntimeError, its own …
            return self._odd_answer(problem, secrets)
        if not isinstance(answer, Mapping):
            return self.malformed(f"a {type(answer).__name__} in place of a JSON object")
        return self._refusal(answer, secrets) if "error" in answer else answer

    # msal's applications ---------------------------------------------------------------------

    def _application(self) -> Any:
        """Created again when the credential changes. Creating it makes a discovery request."""
        credential = self.credential
        if isinstance(credential, ManagedIdentity):
            self._app = self._app or self._managed(credential)
            return self._app
        found = msal_credential(credential, self._sign) if credential is not None else None
        if self._app is None or found != self._msal_credential:
            self._app, self._msal_credential = self._registered(found), found
        return self._app

    def _registered(self, found: MsalCredential | None) -> Any:
        personal = isinstance(self._account.scenario, Personal)
        common = {
            "authority": self._cloud.authority(self._account.authority_tenant),
            # The authority is configured; no central host is asked about it.
            "instance_discovery": False,
            "http_client": self._http,
            "http_cache": self._refusals,
            "token_cache": _NoMemory(),
            "client_capabilities": None if personal else CAPABILITIES,
            "azure_region": False,  # Otherwise MSAL_FORCE_REGION in the environment decides.
        }
        if found is None:
            return msal.PublicClientApplication(self._account.client_id, **common)
        return msal.ConfidentialClientApplication(
            self._account.client_id, client_credential=found.for_msal, **common
        )

    def _sign(self, pair: "KeyPair") -> str:
        from graphrelay.oauth.entra.assertion import client_assertion

        endpoint = f"{self._cloud.authority(self._account.authority_tenant)}/oauth2/v2.0/token"
        return client_assertion(
            pair.private_key,
            pair.certificate,
            self._account.client_id,
            endpoint,
            self._clock.now(),
        )

    def _managed(self, identity: ManagedIdentity) -> Any:
        which = (
            msal.UserAssignedManagedIdentity(client_id=identity.client_id)
            if identity.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        return msal.ManagedIdentityClient(
            which,
            http_client=self._http,
            http_cache=self._refusals,
            token_cache=_NoMemory(),
        )

    # Failures --------------------------------------------------------------------------------

    def _no_credential(self, problem: CredentialProblem) -> TokenRefused:
        return TokenRefused(
            error="",
            kind="credential-unreadable",
            description=problem.reason,
            remedy=problem.remedy,
        )

    def _no_answer(self, problem: httpx.HTTPError) -> EntraUnreachable:
        text = str(problem) or type(problem).__name__
        if "CERTIFICATE_VERIFY_FAILED" in text:
            text = f"its TLS certificate is not trusted ({text}); see ca_file in [cloud]"
        return EntraUnreachable(reason=f"{self.host} cannot be reached: {text}")

    def _odd_answer(self, problem: Exception, secrets: tuple[str, ...]) -> "EntraFailure":
        """msal raised an exception: the answer itself decides."""
        if isinstance(problem, RuntimeError) and "nonce" in str(problem):
            return TokenRefused(
                error="",
                kind="replayed",
                description="The ID token belongs to another sign-in (its nonce differs).",
                remedy=words("Run: {authorize}", self._account),
            )
        response = self._http.last
        if response is None:
            return EntraUnreachable(reason=f"{self.host}: {type(problem).__name__}")
        if self._is_busy(response.status_code):
            return self._busy(response)
        body = _json(response)
        if isinstance(body, dict) and "error" in body:
            return self._refusal(body, secrets)
        if isinstance(body, dict) and response.status_code == 200:
            return self.malformed(_malformed(body, problem))
        what = f"HTTP {response.status_code}, {response.headers.get('Content-Type', 'no type')}"
        return EntraUnreachable(reason=f"{self.host} gave an answer that is not OAuth ({what}).")

    def malformed(self, what: str) -> EntraUnreachable:
        """An answer of which `what` is not as OAuth has it."""
        return EntraUnreachable(reason=f"{self.host} answered with {what}.", malformed=True)

    def _refusal(self, answer: EntraAnswer, secrets: tuple[str, ...]) -> "EntraFailure":
        response = self._http.last
        if response is not None and self._is_busy(response.status_code):
            return self._busy(response)
        if is_passing(answer):
            wait = retry_after(response.headers, self._clock.now()) if response else None
            return EntraUnreachable(reason=f"{self.host}: {answer.get('error')}", retry_after=wait)
        own = (self._msal_credential.identity,) if self._msal_credential is not None else ()
        return self._with_clock(refused(_scrubbed(answer, secrets + own), self._account))

    def _is_busy(self, status: int) -> bool:
        """Azure's metadata service also answers 404 and 410 while it is being updated."""
        managed = isinstance(self.credential, ManagedIdentity)
        return status == 429 or status >= 500 or (managed and status in (404, 410))

    def _busy(self, response: httpx.Response) -> EntraUnreachable:
        wait = retry_after(response.headers, self._clock.now())
        reason = f"{self.host} answered HTTP {response.status_code}."
        return EntraUnreachable(reason=reason, retry_after=wait)

    def _with_clock(self, refusal: TokenRefused) -> TokenRefused:
        """Name the cause if it is this machine's clock: Microsoft's text does not say whose."""
        ahead = clock_error(self._http.last, self._clock.now())
        if refusal.kind != "clock" or ahead is None or abs(ahead) < TOLERATED_CLOCK_ERROR:
            return refusal
        which = "ahead of" if ahead > timedelta(0) else "behind"
        remedy = words(
            f"This machine's clock is {abs(ahead)} {which} Entra's. Set it (timedatectl), then "
            "run: {authorize}",
            self._account,
        )
        return replace(refusal, remedy=remedy)


class _NoMemory(msal.TokenCache):  # type: ignore[misc]
    """A token cache that stores nothing: the vault does."""

    def add(self, event: Any, now: Any = None) -> None:
        pass


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _malformed(body: dict[str, Any], problem: Exception) -> str:
    """What msal could not read in an answer that says all is well."""
    if wrong := not_text(body):
        return wrong
    if "id_token" in body and not (
        isinstance(body["id_token"], str) and claims_of(body["id_token"])
    ):
        return "an ID token that cannot be read"
    return f"what is not OAuth ({type(problem).__name__}; members: {', '.join(map(_name, body))})"


def not_text(answer: EntraAnswer) -> str:
    """The member of a token answer that should be text and is not; empty where all is well."""
    for member in ("scope", "refresh_token"):
        if not isinstance(answer.get(member), str | None):
            return f"a {member} that is not text but a {type(answer[member]).__name__}"
    return ""


def _name(member: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in member[:40])


def _scrubbed(answer: EntraAnswer, secrets: tuple[str, ...]) -> EntraAnswer:
    """Without anything that was sent: an answer might quote the request."""
    text = str(answer.get("error_description") or "")
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return {**answer, "error_description": text}
