"""The way to Microsoft: names, certificates, both hosts, the clock, a proxy."""

import asyncio
import ssl
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from yarl import URL

from graphrelay.doctor.examination import CannotTell, Examination, document, said
from graphrelay.doctor.finding import AsAssumed, Different, Finding, LeftOut, judged
from graphrelay.graph.http.answer import HttpAnswer, read_error
from graphrelay.graph.http.exchange import HttpResult
from graphrelay.retry_after import http_date

TOLERATED = timedelta(minutes=1)
_PORT = 443


def _hosts(of: Examination) -> tuple[URL, URL]:
    """Entra ID's and Graph's; the same one in the sandbox."""
    return URL(of.reach.cloud.login_url), URL(of.reach.graph_url)


async def dns(of: Examination) -> Finding:
    """Both names are looked up, as the relay does it."""
    if of.endpoint.proxy:
        return LeftOut(f"the proxy {of.endpoint.proxy.host} looks the names up")
    found = []
    for url in _hosts(of):
        host, port = str(url.host), url.port or _PORT
        try:
            known = await asyncio.get_running_loop().getaddrinfo(host, port)
        except (OSError, UnicodeError) as error:
            return Different(f"{host}: {error}")
        addresses = {address[4][0] for address in known}
        of.record.note(host=host, addresses=len(addresses))
        found.append(f"{host} has {len(addresses)}")
    return AsAssumed(f"addresses: {', '.join(dict.fromkeys(found))}")


async def tls(of: Examination) -> Finding:
    """Which authority signed the certificates; through a proxy, `hosts` shows that."""
    if of.endpoint.proxy:
        return LeftOut(f"connections go through the proxy {of.endpoint.proxy.host}: see hosts")
    shown = []
    for url in _hosts(of):
        host = str(url.host)
        try:
            issuer, version = await _certificate(of, host, url.port or _PORT)
        except (OSError, TimeoutError) as error:
            return Different(f"{host}: {error or type(error).__name__}")
        of.record.note(host=host, issuer=issuer, version=version)
        shown.append(f"{host} by {issuer} ({version})")
    return AsAssumed(", ".join(dict.fromkeys(shown)))


async def _certificate(of: Examination, host: str, port: int) -> tuple[str, str]:
    limit = of.endpoint.timeouts.connect.total_seconds()
    async with asyncio.timeout(limit):
        _, writer = await asyncio.open_connection(host, port, ssl=of.endpoint.tls)
    try:
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate: dict[str, Any] = session.getpeercert() or {}
        return _issuer(certificate), session.version() or "TLS"
    finally:
        writer.transport.abort()


def _issuer(certificate: dict[str, Any]) -> str:
    names = dict(pair for group in certificate.get("issuer", ()) for pair in group)
    return str(names.get("organizationName") or names.get("commonName") or "an authority unnamed")


async def hosts(of: Examination) -> Finding:
    """A request to each that needs no token."""
    discovered, refused = await _ask_both(of)
    entra = isinstance(discovered, HttpAnswer) and "token_endpoint" in document(discovered.body)
    graph = isinstance(refused, HttpAnswer) and refused.status == 401
    graph = graph and bool(read_error(refused.body).code)  # type: ignore[union-attr]
    way = f" through the proxy {of.endpoint.proxy.host}" if of.endpoint.proxy else ""
    seen = f"Entra ID: {said(discovered)}; Graph without a token: {said(refused)}{way}"
    return judged(entra and graph, seen)


async def clock(of: Examination) -> Finding:
    """By the Date field of both answers."""
    off = [
        (_date(answer) - of.clock.now()).total_seconds()
        for answer in await _ask_both(of)
        if isinstance(answer, HttpAnswer) and "date" in answer.headers
    ]
    if not off:
        raise CannotTell("no answer had a date")
    most = max(off, key=abs)
    which = "behind" if most > 0 else "ahead"
    right = abs(most) <= TOLERATED.total_seconds()
    return judged(right, "right" if right else f"{abs(most):.0f} seconds {which}")


def _date(answer: HttpAnswer) -> datetime:
    found = http_date(answer.headers["date"])
    if found is None:
        raise CannotTell("the date of an answer cannot be read")
    return found


async def _ask_both(of: Examination) -> tuple[HttpResult, HttpResult]:
    login, graph = of.reach.cloud.login_url.rstrip("/"), of.reach.graph_url.rstrip("/")
    tenant = quote(of.account.authority_tenant, safe="")
    accept = {"Accept": "application/json"}
    discovery = f"{login}/{tenant}/v2.0/.well-known/openid-configuration"
    return await of.bare("GET", discovery, accept), await of.bare("GET", f"{graph}/v1.0/me", accept)
