"""HTTP for msal: our own client, with the same certificates and the same proxy as Graph's.

Left to itself, msal would let REQUESTS_CA_BUNDLE and proxy variables of the environment decide,
wait without end, and remember a 400 for 60 s. Here the environment has no say, every wait ends,
and the last exchange can be looked at: status, Retry-After and the Date header, which msal drops.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ssl import SSLContext
from typing import Any

import httpx

LONGEST_WAIT = timedelta(hours=1)
"""What is believed of a Retry-After; no outage that asks for more should silence us longer."""


@dataclass(frozen=True, slots=True)
class Http:
    """How to reach the cloud: shared by Entra and Graph alike."""

    ssl: SSLContext
    proxy: str | None = field(default=None, repr=False)
    """May hold a password, so it is not shown."""
    connect_timeout: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(seconds=30)

    def client(self, *, through_proxy: bool = True) -> httpx.Client:
        """A client that trusts nothing in the environment. A token request is rare: no pool."""
        connect, answer = self.connect_timeout.total_seconds(), self.answer_timeout.total_seconds()
        return httpx.Client(
            verify=self.ssl,
            proxy=self.proxy if through_proxy else None,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(answer, connect=connect),
            limits=httpx.Limits(max_keepalive_connections=0),
        )


class Exchange:
    """msal's `http_client`: sends, and keeps the last answer to be looked at."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.last: httpx.Response | None = None

    def post(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> httpx.Response:
        """A form, as requests would send it: octets as text, and no fields without a value."""
        form = {key: _text(value) for key, value in (data or {}).items() if value is not None}
        return self._send("POST", url, params=params, data=form, headers=headers)

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> httpx.Response:
        return self._send("GET", url, params=params, headers=headers)

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        self.last = None
        self.last = self._client.request(method, url, **options)
        return self.last


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def retry_after(response: httpx.Response | None, now: datetime) -> timedelta | None:
    """How long the server asked to be left alone: seconds, a fraction, or a date (RFC 9110
    section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip() if response is not None else ""
    if not text:
        return None
    try:
        wait = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        moment = _date(text)
        wait = moment - now if moment is not None else timedelta(0)
    return min(max(wait, timedelta(0)), LONGEST_WAIT) or None


def clock_error(response: httpx.Response | None, now: datetime) -> timedelta | None:
    """How far our clock is ahead of the server's; whole seconds, `None` if it did not say."""
    moment = _date(response.headers.get("Date", "")) if response is not None else None
    return now.replace(microsecond=0) - moment if moment is not None else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
