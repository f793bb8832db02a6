"""The kinds of fault that only Entra has: an OAuth error with its genuine body, an answer with one
member changed, redirect URIs that are compared to the letter, and refresh tokens that work once."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.entra.errors import Refused
from graphrelay.sandbox.faults import Fault, fault_kind


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class EntraError(Fault):
    """Refuse with an AADSTS number out of the table in `errors`."""

    aadsts: int
    error: str = ""
    """In place of the table's OAuth error."""
    suberror: str = ""
    status: int = 0
    """In place of the table's HTTP status: applications in a loop get 50196 with 429."""
    endpoint: str = "token"
    """`token`, `devicecode` or `authorize`."""
    grant_type: str = ""
    client_id: str = ""
    retry_after: str = ""
    """Value of a `Retry-After` header."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedAnswer(Fault):
    """Answer truly, but for one member of the JSON, or one claim of the ID token in it."""

    member: str
    value: str = ""
    """JSON; empty leaves it out."""
    in_id_token: bool = False


def changed(cloud: Cloud, request: web.Request, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as a fault changes it, if one strikes."""
    fault = cloud.faults.take(ChangedAnswer, method=request.method, path=request.path)
    if fault is None:
        return answer
    if not fault.in_id_token:
        return _with(answer, fault)
    payload = answer["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {**answer, "id_token": cloud.tokens.sign(_with(claims, fault))}


def _with(given: dict[str, Any], fault: ChangedAnswer) -> dict[str, Any]:
    others = {name: value for name, value in given.items() if name != fault.member}
    return {**others, fault.member: json.loads(fault.value)} if fault.value else others


def struck(
    cloud: Cloud, request: web.Request, endpoint: str, form: Mapping[str, str]
) -> EntraError | None:
    """The fault that strikes this request, if any."""

    def meant(fault: EntraError) -> bool:
        return (
            fault.endpoint == endpoint
            and fault.grant_type in ("", form.get("grant_type"))
            and fault.client_id in ("", form.get("client_id"))
        )

    if not cloud.faults:
        return None
    return cloud.faults.take(EntraError, method=request.method, path=request.path, where=meant)


def refusal(fault: EntraError) -> Refused:
    """The refusal that a fault stands for."""
    refused = Refused(fault.aadsts, error=fault.error, suberror=fault.suberror)
    refused.status = fault.status or refused.status
    return refused


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ExactRedirect(Fault):
    """Compare the path of a redirect URI to the letter: `/` is not the same as none."""


def exact_redirect(cloud: Cloud, request: web.Request) -> bool:
    """Whether the fault is on."""
    return cloud.faults.take(ExactRedirect, method=request.method, path=request.path) is not None


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshOnce(Fault):
    """A refresh token works once. One that is used again ends all that came from the same sign-in,
    as RFC 9700 section 4.14.2 wants it; Entra ID accepts old ones."""


def refresh_tokens_work_once(cloud: Cloud) -> bool:
    """Whether the fault is on."""
    return cloud.faults.take(RefreshOnce, method="POST", path="/token") is not None
