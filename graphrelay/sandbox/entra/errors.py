"""Entra ID's refusals: an exception inside the sandbox, one shape of JSON on the wire."""

import json
from datetime import datetime
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.entra.aadsts import KNOWN

_CAPOLIDS = '{"access_token":{"capolids":{"essential":true,"values":["%s"]}}}'


class _Blank(dict[str, str]):
    """Keeps placeholders without a value readable."""

    def __missing__(self, key: str) -> str:
        return key


class Refused(Exception):  # noqa: N818 (an answer, not a programming error)
    """Entra refuses, with this AADSTS number. Caught in one place for each endpoint."""

    def __init__(self, code: int, *, error: str = "", suberror: str = "", **places: str) -> None:
        super().__init__(f"AADSTS{code}")
        known = KNOWN[code]
        self.code = code
        self.error = error or known.error
        self.suberror = suberror or known.suberror
        self.status = known.status
        self.text = known.text.format_map(_Blank(places))
        asks = self.suberror in ("basic_action", "message_only")
        self.claims = _CAPOLIDS % uuid4() if asks else ""

    def description(self, now: datetime, trace_id: str, correlation_id: str) -> str:
        """`error_description`: since 2026 the parts stand on one line, before on four."""
        return (
            f"AADSTS{self.code}: {self.text} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
        )


def error_answer(
    refused: Refused, login_url: str, now: datetime, correlation_id: str
) -> web.Response:
    """The JSON answer of the token and device code endpoints."""
    trace_id = str(uuid4())
    body: dict[str, object] = {
        "error": refused.error,
        "error_description": refused.description(now, trace_id, correlation_id),
        "error_codes": [refused.code],
        "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{login_url}/error?code={refused.code}",
    }
    if refused.suberror:
        body["suberror"] = refused.suberror
    if refused.claims:
        body["claims"] = refused.claims
    return json_answer(body, refused.status, trace_id)


def json_answer(body: object, status: int = 200, request_id: str = "") -> web.Response:
    """JSON with the headers that Entra sends with every answer."""
    return web.Response(
        text=json.dumps(body),
        status=status,
        content_type="application/json",
        headers={
            "Cache-Control": "no-store, no-cache",
            "Pragma": "no-cache",
            "P3P": 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
            "X-Content-Type-Options": "nosniff",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "x-ms-request-id": request_id or str(uuid4()),
        },
    )
