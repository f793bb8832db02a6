"""Where a request comes from: the client's address, the host name in the request, and the site that
made it.

    Host         localhost, an address, or a configured name: a name that leads here from elsewhere
                 (DNS rebinding) is none of these
    Origin       of a form: this console's own
    Sec-Fetch-*  what browsers say besides: other sites may link here, and load or send nothing

https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from graphrelay.console.options import WebAddress
from graphrelay.model import one_line
from graphrelay.smtp.access.admission import LOCAL, client_address, is_among

_OWN_SITE = frozenset({"none", "same-origin"})
_SITES = _OWN_SITE | {"same-site", "cross-site"}
_PORT = re.compile(
    r"[0-9]{0,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
)
"""What aiohttp can read, which raises an error for a greater number."""
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as far as the network knows."""

    client: str
    """An address, or `unix`."""
    is_secure: bool
    """The browser uses TLS."""
    is_here: bool
    """The browser runs on this machine."""


def caller(options: WebAddress, peername: object, headers: MultiMapping[str]) -> Caller:
    """From the connection, or from the last entry, which a configured proxy has added: some proxies
    add to the client's own field, others add a field (`option forwardfor` of HAProxy)."""
    client = client_address(peername)
    tls = options.listener.tls != "off"
    by_proxy = client == LOCAL or is_among(client, options.proxy_from)
    if by_proxy and (named := _last(headers, "X-Forwarded-For")):
        named = _bare(named) or _bare(_without_port(named))
        scheme = _last(headers, "X-Forwarded-Proto").lower()
        return Caller(named or client, scheme == "https", False)
    return Caller(client, tls, _is_loopback(client))


def _last(headers: MultiMapping[str], name: str) -> str:
    return ",".join(headers.getall(name, ())).rpartition(",")[2].strip()


@dataclass(frozen=True, slots=True)
class RequestRefusal:
    """Why a request is not answered."""

    status: int
    reason: str


def refusal(
    where: WebAddress,
    table: str,
    client: str,
    method: str,
    headers: Mapping[str, str],
    *,
    is_allowed: bool = False,
) -> RequestRefusal | None:
    """For a client that may not connect, or a request that none of its pages can have made.
    `table`: of the configuration; `is_allowed`: whatever its `allow_from` says."""
    if not (is_allowed or may_connect(where, client)):
        return RequestRefusal(403, f"{client} is not in [{table}] allow_from")
    host = headers.get("Host", "")
    if not is_ours(where, host):
        return RequestRefusal(421, f"{one_line(host, 80)!r} is not in [{table}] hosts")
    reason = strange(method, headers)
    return RequestRefusal(403, reason) if reason else None


def may_connect(options: WebAddress, client: str) -> bool:
    """Whether `allow_from` permits the client; local users of a Unix socket are always
    permitted."""
    return client == LOCAL or is_among(client, options.listener.allow_from)


def is_ours(options: WebAddress, host: str) -> bool:
    """Whether a Host header names this console. A name can be rebound, an address cannot."""
    name = _without_port(host).lower()
    return name == "localhost" or bool(_number(name)) or name in map(str.lower, options.hosts)


def loopback_port(host: str) -> int | None:
    """The port in a Host header that names a loopback address by its number (80 where it is left
    out); `None` for any other."""
    name = _without_port(host)
    number = _number(name)
    if not number or not _is_loopback(number):
        return None
    return int(host[len(name) + 1 :] or 80)


def strange(method: str, headers: Mapping[str, str]) -> str | None:
    """Why no page of this console can have made the request; `None` where one can."""
    site = headers.get("Sec-Fetch-Site", "none")
    site = site if site in _SITES else "strange"
    if method in _READS:
        follows_link = headers.get("Sec-Fetch-Dest") == "document"
        return None if site in _OWN_SITE or follows_link else f"asked for by a {site} page"
    if site not in _OWN_SITE:
        return f"sent by a {site} page"
    origin = headers.get("Origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower():
        return "sent by a page of another origin"
    return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and _PORT.fullmatch(port) and not name.endswith(":") else host


def _number(name: str) -> str:
    """The IP address that a Host header names, or empty for what is none; IPv6 is in brackets
    there, and has no zone (RFC 3986 3.2.2)."""
    is_bracketed = name.startswith("[") and name.endswith("]")
    return _bare(name) if is_bracketed == (":" in name) and "%" not in name else ""


def _bare(text: str) -> str:
    """An IP address without brackets, or empty for what is none."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return client_address((str(ipaddress.ip_address(text)), 0))
    except ValueError:
        return ""


def _is_loopback(client: str) -> bool:
    return client != LOCAL and ipaddress.ip_address(client).is_loopback
