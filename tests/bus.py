"""A message bus of its own for a test, and on it a systemd that has one unit."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jeepney import (  # type: ignore[import-untyped]
    HeaderFields,
    message_bus,
    new_error,
    new_method_return,
)
from jeepney.io.blocking import Proxy, open_dbus_connection  # type: ignore[import-untyped]

from tests.tools import needs

CONFIGURATION = """<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
"""No activation: a service that has ended stays away."""
SYSTEMD = "org.freedesktop.systemd1"
UNIT = "/org/freedesktop/systemd1/unit/graphrelay_2eservice"
UNKNOWN_PROPERTY = "org.freedesktop.DBus.Error.UnknownProperty"


@contextlib.contextmanager
def message_bus_in(folder: Path) -> Iterator[str]:
    """Its address."""
    configuration = folder / "bus.conf"
    configuration.write_text(CONFIGURATION, "utf-8")
    bus = subprocess.Popen(
        [needs("dbus"), f"--config-file={configuration}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdout is not None
    try:
        yield bus.stdout.readline().strip()
    finally:
        bus.terminate()
        bus.wait(20)
        bus.stdout.close()


Properties = Mapping[str, tuple[str, Any]]
"""Signature and value, by name."""


@contextlib.contextmanager
def systemd_in(folder: Path, unit: Properties) -> Iterator[str]:
    """The address of a bus on which systemd answers for the properties of graphrelay.service."""
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(message_bus_in(folder))
        connection = open_dbus_connection(address)
        Proxy(message_bus, connection).RequestName(SYSTEMD)
        thread = threading.Thread(target=_answer, args=(connection, unit))
        thread.start()
        try:
            yield address
        finally:
            stack.close()  # The thread ends with the bus.
            thread.join(20)
            connection.close()


def _answer(connection: Any, unit: Properties) -> None:
    with contextlib.suppress(OSError):
        while True:
            message = connection.receive()
            fields = message.header.fields
            if fields.get(HeaderFields.member) != "Get":
                continue
            _, name = message.body
            known = fields[HeaderFields.path] == UNIT and name in unit
            connection.send(
                new_method_return(message, "v", (unit[name],))
                if known
                else new_error(message, UNKNOWN_PROPERTY)
            )
