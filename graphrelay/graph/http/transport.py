"""How to get to Graph: TLS straight to it, or through a tunnel that an HTTP proxy opens.

Either way the TLS session ends at Graph itself, so a proxy sees the host's name and nothing else
(CONNECT, RFC 9110 section 9.3.6).

`Endpoint.session` is a session of aiohttp for one lane. Nothing is taken from the environment, no
redirect is followed, no cookie is kept, and nothing is retried: only the queue decides that.
"""

import ssl
from dataclasses import dataclass

import aiohttp
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from graphrelay.graph.http.connection import LONGEST_HEAD, Connector
from graphrelay.graph.http.exchange import Timeouts, once
from graphrelay.graph.proxy import Proxy


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
            proxy=_url(self.proxy) if self.proxy else None,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            max_line_size=2 * LONGEST_HEAD,  # limited by the connection, all of a head together
            max_field_size=2 * LONGEST_HEAD,
            middlewares=(once,),
        )
        return session, connector


def _url(proxy: Proxy) -> URL:
    """Without the login."""
    scheme = "https" if proxy.tls else "http"
    return URL.build(scheme=scheme, host=proxy.host, port=proxy.port)
