"""Reading an answer from Graph: whatever comes over the wire, this never fails.

An error is `{"error": {"code": …, "message": …, "innerError": {…}}}`
(https://learn.microsoft.com/en-us/graph/errors), but a gateway in between may answer with HTML or
without a body.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphrelay.model import Answer, one_line

_LONGEST_TEXT = 1_000
_DEEPEST = 8
_CLAIMS = re.compile(r'claims="([^"]+)"')


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer; header names in lower case, the body possibly truncated."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GraphError:
    """`codes` from the outermost inwards, that is from the general to the specific."""

    codes: tuple[str, ...]
    message: str

    @property
    def code(self) -> str:
        return self.codes[0] if self.codes else ""


def read_error(body: bytes) -> GraphError:
    """The error in a body; empty if the body is not an error of Graph."""
    if not body:
        return GraphError((), "")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return GraphError((), "")
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return GraphError((), "")
    message = error.get("message")
    shown = one_line(message, _LONGEST_TEXT) if isinstance(message, str) else ""
    return GraphError(tuple(_codes(error)), shown)


def _codes(error: dict[str, Any]) -> Iterator[str]:
    inner: Any = error
    for _ in range(_DEEPEST):
        if not isinstance(inner, dict):
            return
        code = inner.get("code")
        if isinstance(code, str) and code:
            yield one_line(code, _LONGEST_TEXT)
        inner = inner.get("innerError") or inner.get("innererror")


def describe(answer: HttpAnswer, error: GraphError, client_request_id: str) -> Answer:
    """The answer as the mail log keeps it."""
    return Answer(
        http_status=answer.status,
        code=error.code,
        message=error.message,
        request_id=one_line(answer.headers.get("request-id", ""), _LONGEST_TEXT),
        client_request_id=client_request_id,
    )


def claims_challenge(headers: Mapping[str, str]) -> str | None:
    """What a new token must contain (Continuous Access Evaluation), as JSON, if Graph asks for it.
    Of several challenges any may say so.

    https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge
    """
    challenge = headers.get("www-authenticate", "")
    if "insufficient_claims" not in challenge:
        return None
    return next(filter(None, map(_claims, _CLAIMS.findall(challenge))), None)


def _claims(encoded: str) -> str | None:
    try:
        claims = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_").decode()
        json.loads(claims)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims
