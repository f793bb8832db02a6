"""Notifications to systemd: ready, reloading, stopping, alive (sd_notify(3)).

Outside systemd (`$NOTIFY_SOCKET` is not set) nothing is sent. A notification that cannot be
delivered raises nothing, so that it never stops the mail.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import timedelta

from graphrelay.clock import Clock


class Notifier:
    """Writes to systemd's notification socket."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        microseconds = environ.get("WATCHDOG_USEC", "")
        pid = environ.get("WATCHDOG_PID", str(os.getpid()))
        ours = microseconds.isdigit() and pid == str(os.getpid())
        self.watchdog = timedelta(microseconds=int(microseconds)) if ours else None
        """The watchdog's interval; `None`: systemd does not watch this process."""

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self, clock: Clock) -> None:
        """To be followed by `ready`. Type=notify-reload requires the monotonic time."""
        microseconds = clock.monotonic() // timedelta(microseconds=1)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self, status: str) -> None:
        self._send(f"STOPPING=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    async def watch(self, clock: Clock) -> None:
        """Send keep-alives, two in each interval; returns at once without a watchdog."""
        while self.watchdog:
            self._send("WATCHDOG=1")
            await clock.sleep(self.watchdog / 2)

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]  # Linux's abstract namespace
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification_socket,
        ):
            notification_socket.connect(address)
            notification_socket.sendall(state.encode())
