"""An alert as a POST with JSON, to an address that is itself a secret.

Whoever knows a chat's webhook address can write there, so neither the address nor the header sent
with it is ever logged: of the address only the host. Redirects are not followed, and proxies of
the environment are not used: the request goes where the configuration says.
"""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus, urlsplit

from graphrelay.alerts.address import mistake
from graphrelay.alerts.alert import LONGEST, Alert
from graphrelay.alerts.channel import AlertNotSent, Secret, Sent
from graphrelay.alerts.shapes import Shape, payload
from graphrelay.clock import Clock, SystemClock, timeout
from graphrelay.model import one_line
from graphrelay.retry_after import retry_after

if TYPE_CHECKING:
    import httpx  # imported with the first alert: most relays have no webhook

TIME_LIMIT = timedelta(seconds=20)
"""For one attempt as a whole."""
LONGEST_WAIT = timedelta(minutes=10)
"""However long the other side asks us to wait."""
_TOO_SHORT_TO_HIDE = 3
_SHORT_WORD = 8
"""Path segments of up to this length are no secret: `services`, `T0`, `api`."""
READ = 2000
"""Octets of an answer that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A `Channel`."""

    url: Secret
    shape: Shape = "generic"
    header: str = "Authorization"
    header_value: Secret | None = None
    label: str = ""
    """The name that people gave it; empty: its shape and host."""
    proxy: str | None = None
    tls: ssl.SSLContext | None = None
    """The system's trust store where none is given."""
    clock: Clock = field(default=SystemClock(), compare=False, repr=False)

    @property
    def name(self) -> str:
        try:
            host = urlsplit(self.url.read()).hostname or "?"
        except (OSError, ValueError):
            host = str(self.url.file)
        place = f"{self.shape} webhook at {one_line(host, LONGEST)}"
        return f"webhook {self.label}" if self.label else place

    async def send(self, alert: Alert) -> Sent | AlertNotSent:
        import httpx

        try:
            url = self.url.read()
            value = self.header_value.read() if self.header_value else ""
        except (OSError, UnicodeDecodeError) as error:
            return AlertNotSent(f"the file of its address or header: {error}", again=True)
        if text := mistake(url):
            return AlertNotSent(f"its address {text}", again=False)
        try:
            async with timeout(self.clock, TIME_LIMIT):
                return await self._post(url, value, alert)
        except TimeoutError:
            return AlertNotSent(f"no answer within {TIME_LIMIT.seconds} seconds", again=True)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError, OSError) as error:
            return AlertNotSent(one_line(_hidden(_why(error), url, value), LONGEST), again=True)

    async def _post(self, url: str, value: str, alert: Alert) -> Sent | AlertNotSent:
        import httpx

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
            said = one_line(_hidden(await _beginning(answer), url, value), 120)
        reason = f"answered {answer.status_code}" + (f": {said}" if said else "")
        again = answer.status_code in (408, 425, 429) or answer.is_server_error
        wait = retry_after(answer.headers, None, LONGEST_WAIT)
        return AlertNotSent(reason, again=again, after=wait if again else None)


def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _beginning(answer: "httpx.Response") -> str:
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
    """Without the secrets or parts of them, in case the other side sent them back, in any encoding.
    To be called before the text is cut: half of a secret would not be found."""
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
