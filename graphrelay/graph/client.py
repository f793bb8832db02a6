"""Microsoft Graph in one cloud: a session in a mailbox for each attempt, over the lane's own
connections.

    GraphClient.session(lane) ─▶ MailboxSession ─▶ Outcome
                             └─▶ Paused or Delayed: there is no token
"""

import asyncio
import ssl
from collections.abc import Callable

from graphrelay.clock import Clock
from graphrelay.graph.clouds import Cloud
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.lane import LaneConnections
from graphrelay.graph.proxy import Proxy
from graphrelay.graph.session import MailboxSession, TokenSource
from graphrelay.model import Delayed, Lane, Paused

CONCURRENCY = 4
"""Exchange runs four requests at a time for an application and a mailbox
(https://learn.microsoft.com/en-us/graph/throttling-limits#outlook-service-limits)."""


class GraphClient:
    """What the lanes share is the trust in certificates and the source of tokens, nothing else."""

    def __init__(
        self,
        cloud: Cloud,
        tls: ssl.SSLContext,
        tokens: TokenSource,
        user_of: Callable[[Lane], str | None],
        clock: Clock,
        *,
        proxy: Proxy | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (frozen)
        concurrency: int = CONCURRENCY,
    ) -> None:
        """`user_of`: by what Graph finds a lane's mailbox (a user principal name or object id);
        `None` for that of the user who signed in for the account, which Graph calls `/me`."""
        self._graph = cloud.graph_url
        self._endpoint = Endpoint(tls, proxy, timeouts)
        self._tokens = tokens
        self._user_of = user_of
        self._clock = clock
        self._concurrency = concurrency
        self._lanes: dict[Lane, LaneConnections] = {}

    async def session(self, lane: Lane) -> MailboxSession | Paused | Delayed:
        """Requests in the lane's mailbox, or why there is no token for them."""
        token = await self._tokens.bearer_token(lane.account)
        if not isinstance(token, str):
            return token
        if lane not in self._lanes:
            self._lanes[lane] = LaneConnections(self._graph, self._endpoint, self._concurrency)
        user, connections = self._user_of(lane), self._lanes[lane]
        return MailboxSession(lane, connections, self._tokens, token, self._clock, user)

    def close_lane(self, lane: Lane) -> None:
        """Close a lane's connections, once nobody uses them; it may be asked for again later."""
        if connections := self._lanes.pop(lane, None):
            connections.close()

    async def aclose(self) -> None:
        """Close every connection."""
        lanes, self._lanes = self._lanes, {}
        for connections in lanes.values():
            await connections.aclose()
        await asyncio.sleep(0)  # so that the connections hear of it
