"""Notifications to systemd."""

import asyncio
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.daemon.systemd import Notifier
from tests.clock import FakeClock, settle


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        yield heard


def test_ready_carries_a_status_line(listening: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": listening.getsockname()})
    notifier.ready("listening on 127.0.0.1:2525")
    assert listening.recv(1024) == b"READY=1\nSTATUS=listening on 127.0.0.1:2525"


def test_an_abstract_socket_is_understood() -> None:
    name = f"graphrelay-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).stopping("bye")
        assert heard.recv(1024) == b"STOPPING=1\nSTATUS=bye"


def test_outside_systemd_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.ready("x")
    assert notifier.watchdog is None


def test_a_socket_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")


async def test_signs_of_life_come_twice_in_each_interval(listening: socket.socket) -> None:
    clock = FakeClock()
    environ = {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "30000000"}
    watching = asyncio.create_task(Notifier(environ).watch(clock))
    await settle()
    assert listening.recv(100) == b"WATCHDOG=1"
    await clock.advance(timedelta(seconds=14))
    with pytest.raises(BlockingIOError):
        listening.recv(100)
    await clock.advance(timedelta(seconds=1))
    assert listening.recv(100) == b"WATCHDOG=1"
    watching.cancel()


def test_a_watchdog_meant_for_another_process_is_left_alone() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    assert Notifier(environ).watchdog is None
