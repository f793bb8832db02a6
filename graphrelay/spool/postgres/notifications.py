"""What relays tell each other: that lanes, mail in a lane, or an authorization has changed.

    NOTIFY graphrelay, '{"lane": ["website", "info@contoso.com"]}' ──▶ the relay that has the lane

A notification may be lost with the connection, so everything is looked at once more when that is
there again, and every `POLL`.
"""

import json
from contextlib import suppress
from datetime import timedelta

import psycopg

from graphrelay.clock import Clock
from graphrelay.model import Lane
from graphrelay.spool.contract import LaneWatcher
from graphrelay.spool.postgres.connections import Connections, connect
from graphrelay.spool.postgres.leases import CHANNEL, Leases
from graphrelay.spool.postgres.secrets import Secrets
from graphrelay.spool.postgres.text import restored

POLL = timedelta(seconds=15)
_LISTEN_AGAIN = timedelta(seconds=1)


class Notifications:
    """Owns the connection that listens."""

    def __init__(
        self, connections: Connections, leases: Leases, secrets: Secrets, clock: Clock
    ) -> None:
        self._connections = connections
        self._leases = leases
        self._secrets = secrets
        self._clock = clock
        self._watcher: LaneWatcher | None = None

    def watch(self, watcher: LaneWatcher) -> None:
        self._watcher = watcher

    async def listen(self) -> None:
        """Never returns."""
        while True:
            try:
                connection = await connect(self._connections.url, self._connections.process)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._leases.look_soon()
                    await self._look_everywhere()
                    async for notification in connection.notifies():
                        self._notified(notification.payload)
            except psycopg.Error:  # the leases report it
                await self._clock.sleep(_LISTEN_AGAIN)

    async def poll(self) -> None:
        """Never returns."""
        while True:
            await self._clock.sleep(POLL)
            with suppress(psycopg.Error):  # the leases report it
                await self._look_everywhere()

    def _notified(self, payload: str) -> None:
        """What only another release knows is ignored, as is what is none of ours: any role of the
        database may notify."""
        try:
            notice = json.loads(payload)
        except (ValueError, RecursionError):
            return
        match notice:
            case {"lanes": _}:
                self._leases.look_soon()
            case {"secret": [str(service), str(name)]}:
                self._secrets.notified(service, name)
            case {"lane": [str(account), str(mailbox)]}:
                lane = Lane(restored(account), restored(mailbox))
                if self._leases.term(lane) and self._watcher is not None:
                    self._watcher.changed(lane)

    async def _look_everywhere(self) -> None:
        """Raises `psycopg.Error`."""
        await self._secrets.look()
        if self._watcher is not None:
            for lane in self._leases.lanes():
                self._watcher.changed(lane)
