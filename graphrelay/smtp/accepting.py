"""Accepts clients of a listening socket.

What is always true here: whatever goes wrong with a client, those that come after it are accepted,
at once or as soon as there are descriptors again. uvloop's own server accepts nobody any more, and
says nothing, after one client for which it had no memory or no descriptor.
"""

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import Callable
from typing import Final

_AT_ONCE: Final = 64
"""Clients of one socket, before others have their turn."""
_AGAIN: Final = 1.0
"""Seconds until it is tried again, where nobody can be accepted."""
_QUIET: Final = 60.0
"""Seconds in which trouble is reported once."""
_OF_THE_CLIENT: Final = {errno.ECONNABORTED, errno.EPROTO}


class Accepting:
    """A socket, and who connects to it."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        trouble: Callable[[Exception], None],
    ) -> None:
        """`listening` is bound, and closed with this; `trouble` gets why a client could not be
        served."""
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._protocol = protocol
        self._trouble = trouble
        self._reported_at = -math.inf
        self._again: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self, backlog: int) -> None:
        """Raises `OSError`."""
        self._listening.setblocking(False)
        self._listening.listen(backlog)
        self._resume()

    def close(self) -> None:
        """Accept nobody more; those that are connected stay."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _resume(self) -> None:
        # First the next try, in case this one fails.
        again = self._again = self._loop.call_later(_AGAIN, self._resume)
        self._loop.add_reader(self._listening, self._accept)
        again.cancel()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connected, _ = self._listening.accept()
                task = self._loop.create_task(self._connect(connected))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
            except (BlockingIOError, InterruptedError):
                return
            except (OSError, MemoryError) as error:
                self._report(error)
                if isinstance(error, OSError) and error.errno not in _OF_THE_CLIENT:
                    self._pause()
                    return

    def _pause(self) -> None:
        """Without a descriptor for it, the next client would wake the event loop for ever."""
        self._again = self._loop.call_later(_AGAIN, self._resume)
        self._loop.remove_reader(self._listening)

    async def _connect(self, connected: socket.socket) -> None:
        made = False
        try:
            await self._loop.connect_accepted_socket(self._protocol, connected)
            made = True
        except Exception as error:  # a bug too, which must not stop the others
            self._report(error)
        finally:
            if not made:
                with contextlib.suppress(OSError):  # the transport has closed it
                    connected.close()

    def _report(self, error: Exception) -> None:
        now = self._loop.time()
        if now - self._reported_at >= _QUIET:
            self._reported_at = now
            self._trouble(error)
