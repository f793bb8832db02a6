"""How to get to Graph: TLS straight to it, or through a tunnel that an HTTP proxy opens.

Either way the TLS session ends at Graph itself, so a proxy sees the host's name and nothing else
(CONNECT, RFC 9110 section 9.3.6).

`Endpoint.session` is a session of aiohttp for one lane. Nothing is taken from the environment, no
redirect is followed, no cookie is kept, and nothing is retried: only the queue decides that.
"""

import base64
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from graphrelay.graph.http.connection import LONGEST_HEAD, Connector
from graphrelay.graph.http.exchange import Timeouts, once


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value for Proxy-Authorization, or empty."""

    host: str
    port: int
    tls: bool = False
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """From `http://[user:password@]host[:port]`. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a proxy must have the form http://host:port")
        tls = parts.scheme == "https"
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = "Basic " + base64.b64encode(login.encode()).decode() if parts.username else ""
        return cls(parts.hostname, parts.port or (443 if tls else 8080), tls, basic)

    @property
    def url(self) -> URL:
        """Without the login."""
        scheme = "https" if self.tls else "http"
        return URL.build(scheme=scheme, host=self.host, port=self.port)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to connect to the cloud's hosts; the trusted certificates are shared by all lanes."""

    tls: ssl.SSLContext
    proxy: Proxy | None
    timeouts: Timeouts

    def peer(self, host: str) -> str:
        """What we connect to, in words."""
        return f"the proxy {self.proxy.host}" if self.proxy else host

    @property
    def proxy_headers(self) -> LooseHeaders | None:
        """What a proxy is sent with the request for a tunnel."""
        login = self.proxy.authorization if self.proxy else ""
        return {"Proxy-Authorization": login} if login else None

    def session(self) -> tuple[aiohttp.ClientSession, Connector]:
        """For a lane, with the connections that it owns. Needs a running loop."""
        connector = Connector(self.tls, self.timeouts.idle)
        session = aiohttp.ClientSession(
            connector=connector,
            proxy=self.proxy.url if self.proxy else None,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            max_line_size=2 * LONGEST_HEAD,  # limited by the connection, all of a head together
            max_field_size=2 * LONGEST_HEAD,
            middlewares=(once,),
        )
        return session, connector
