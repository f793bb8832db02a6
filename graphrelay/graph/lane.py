"""A lane's connections to Graph, and the limit on how many requests use them at a time.

Redirects are never followed: a token goes to the cloud's host and nowhere else.
"""

import asyncio
from contextlib import aclosing, nullcontext

from graphrelay.graph.http.exchange import HttpAttempt, HttpResult, Request, RequestBody
from graphrelay.graph.http.transport import Endpoint


class LaneConnections:
    """At most `concurrency` requests at a time, over connections that are kept while they last."""

    def __init__(self, graph: str, endpoint: Endpoint, concurrency: int) -> None:
        self.graph = graph
        self._endpoint = endpoint
        self._turns = asyncio.Semaphore(concurrency)
        self._session, self._connector = endpoint.session()
        self._in_flight = 0
        self._closing = False
        self._requests = self._octets = 0

    def take_spent(self) -> tuple[int, int]:
        """Requests made and octets sent in them since it was asked last."""
        spent = self._requests, self._octets
        self._requests = self._octets = 0
        return spent

    async def send(self, request: Request, body: RequestBody) -> HttpResult:
        """Send a request in one of the lane's turns. Raises whatever reading `body` raises, and
        `BodyChanged`."""
        closing = nullcontext() if isinstance(body, bytes) else aclosing(body)
        async with self._turns, closing:
            peer = self._endpoint.peer(request.url.host or "")
            attempt = HttpAttempt(request, body, peer, self._endpoint.timeouts)
            self._in_flight += 1
            try:
                return await attempt.over(self._session, self._endpoint.proxy_headers)
            finally:
                self._in_flight -= 1
                self._requests += attempt.begun
                self._octets += request.size * attempt.begun
                if self._closing and not self._in_flight:
                    self._connector.abort()

    def close(self) -> None:
        """Close the connections once nobody uses them any more."""
        self._closing = True
        if not self._in_flight:
            self._connector.abort()

    async def aclose(self) -> None:
        """Close them now."""
        await self._session.close()
