"""The listener of `[metrics] address`, as a part of the daemon."""

from typing import TYPE_CHECKING

from graphrelay.clock import Clock
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import MetricsOptions
from graphrelay.console.web_server import WebServer
from graphrelay.journal import Journal

if TYPE_CHECKING:
    from aiohttp import web


class MetricsServer:
    """Serves /metrics, /healthz and /readyz without anybody signing in."""

    def __init__(
        self, options: MetricsOptions, monitoring: Monitoring, journal: Journal, clock: Clock
    ) -> None:
        self.options = options
        """A reload replaces them; the address stays."""
        self._monitoring = monitoring
        self._journal = journal
        self._server = WebServer("metrics", lambda: self.options, self._app, journal, clock)

    @property
    def address(self) -> str:
        """Where it listens, with the actual port; empty where it does not."""
        return self._server.address

    async def open(self) -> None:
        """Listen. Raises nothing: a failure is reported in the journal."""
        await self._server.open()

    async def run(self) -> None:
        """Serve until cancelled, if it listens."""
        await self._server.run()

    def _app(self) -> "web.Application":
        from graphrelay.console.metrics.app import make_app

        return make_app(lambda: self.options, self._monitoring, self._journal)
