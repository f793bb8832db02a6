"""The wire between a relay and its database, on which something fails at a certain step.

A step is what one side sends at once. It never arrives: the connection is closed, and who is to
fail has failed by then.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Wire:
    """Listens on `port` of this machine and carries what comes to `to_port`."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._lock = threading.Lock()
        self._at = 0
        self._strike: Callable[[], None] = lambda: None
        self.steps = 0

    def arm(self, at: int, strike: Callable[[], None]) -> None:
        """From now on steps are counted; at this one, `strike` is called. 0: at none."""
        with self._lock:
            self._at, self._strike, self.steps = at, strike, 0

    def disarm(self) -> None:
        with self._lock:
            self._at = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._to_port))
                except OSError:
                    near.close()
                    continue
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := one.recv(65_536):
                with self._lock:
                    self.steps += 1
                    if self.steps == self._at:
                        self._strike()
                        break
                other.sendall(octets)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        one.close()
