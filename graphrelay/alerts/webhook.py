"""An alert as a POST with JSON, to an address that is itself a secret.

The chats' addresses are all that is needed to write there, so neither the address nor what is
sent with it ever stands in a log: of the address only the host is named. Redirects are not
followed, and the environment's proxies are not used: what is configured is where it goes.
"""

import asyncio
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote, unquote_plus, urlsplit

import httpx

from graphrelay.alerts.address import mistake
from graphrelay.alerts.alert import Alert, clean
from graphrelay.alerts.shapes import Shape, payload
from graphrelay.alerts.way import NotSent, Secret, Sent

TIME_LIMIT = timedelta(seconds=20)
"""For all of one try."""
LONGEST_WAIT = timedelta(minutes=10)
"""However long the other side asks to be left alone."""
_TOO_SHORT_TO_HIDE = 3
_SHORT_WORD = 8
"""Steps of a path that are as short say nothing: `services`, `T0`, `api`."""
READ = 2000
"""Octets of an answer that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A `Way`."""

    url: Secret
    shape: Shape = "generic"
    header: str = "Authorization"
    header_value: Secret | None = None
    label: str = ""
    """What people call it; the shape and the host where it is empty."""
    proxy: str | None = None
    tls: ssl.SSLContext | None = None
    """The system's trust store where none is given."""

    @property
    def name(self) -> str:
        try:
            host = urlsplit(self.url.read()).hostname or "?"
        except (OSError, ValueError):
            host = str(self.url.file)
        return f"webhook {self.label}" if self.label else f"{self.shape} webhook at {clean(host)}"

    async def send(self, alert: Alert) -> Sent | NotSent:
        try:
            url = self.url.read()
            value = self.header_value.read() if self.header_value else ""
        except (OSError, UnicodeDecodeError) as error:
            return NotSent(f"its file cannot be read: {error}", again=True)
        if text := mistake(url):
            return NotSent(f"its address {text}", again=False)
        try:
            async with asyncio.timeout(TIME_LIMIT.total_seconds()):
                return await self._post(url, value, alert)
        except TimeoutError:
            return NotSent(f"no answer within {TIME_LIMIT.seconds} s", again=True)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError, OSError) as error:
            return NotSent(clean(_hidden(_why(error), url, value)), again=True)

    async def _post(self, url: str, value: str, alert: Alert) -> Sent | NotSent:
        tls = self.tls if self.tls else await asyncio.to_thread(_system_trust)
        headers = {self.header: value} if value else {}
        client = httpx.AsyncClient(
            verify=tls, proxy=self.proxy, trust_env=False, timeout=TIME_LIMIT.total_seconds()
        )
        async with (
            client,
            client.stream("POST", url, json=payload(self.shape, alert), headers=headers) as answer,
        ):
            if answer.is_success:
                return Sent()
            said = clean(_hidden(await _beginning(answer), url, value), 120)
        reason = f"answered {answer.status_code}" + (f": {said}" if said else "")
        again = answer.status_code in (408, 425, 429) or answer.is_server_error
        return NotSent(reason, again=again, after=_retry_after(answer) if again else None)


def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _beginning(answer: httpx.Response) -> str:
    octets = b""
    async for piece in answer.aiter_bytes():
        octets += piece
        if len(octets) >= READ:
            break
    text = octets[:READ].decode("utf-8", "replace")
    return "" if "<html" in text.lower() else text


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    return f"could not be reached: {cause or type(cause).__name__}"


def _hidden(text: str, url: str, value: str) -> str:
    """Without the secrets, should the other side have sent them back, or a part of them, in
    whatever way it wrote them down. To be called before the text is cut: half of a secret would
    not be found."""
    parts = urlsplit(url)
    pieces = {url, value, value.partition(" ")[2], parts.path.strip("/"), parts.query}
    pieces |= {parts.password or "", *_values(parts.query)}
    pieces |= {step for step in parts.path.split("/") if len(step) > _SHORT_WORD}
    pieces |= {read(piece) for piece in pieces for read in (unquote, unquote_plus)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) > _TOO_SHORT_TO_HIDE:
            text = text.replace(piece, "…").replace(piece.replace("/", "\\/"), "…")
    return text


def _values(query: str) -> Iterator[str]:
    return (parameter.partition("=")[2] for parameter in query.split("&"))


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """Seconds (RFC 9110 section 10.2.3); of a date nothing is made."""
    said = answer.headers.get("retry-after", "")
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said):
        return None
    return min(timedelta(seconds=float(said)), LONGEST_WAIT)
