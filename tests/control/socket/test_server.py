"""The daemon's end: who may ask, how many, and for how long."""

import asyncio
import grp
import json
import os
import socket
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.socket.messages import LIMIT, encode
from graphrelay.control.socket.server import ControlServer
from graphrelay.control.verb import Asker, Output, VerbError
from graphrelay.journal import Entry, Journal
from tests.clock import FakeClock
from tests.control.socket.asking import collected, converse, count, nobody, server, until


async def test_the_socket_is_for_its_owner_alone_and_removed_at_the_end(path: Path) -> None:
    async with server(path, count=count):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_that_cannot_be_removed_keeps_no_server_from_stopping(
    path: Path,
) -> None:
    async with server(path, count=count):
        path.unlink()
        path.mkdir()  # root may remove a file anywhere
    async with server(path.with_name("other.sock"), count=count):
        pass


async def test_a_socket_left_behind_by_a_dead_process_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with server(path, count=count):
        assert await collected(path, "count", to=1) == [{"number": 0}]


async def test_a_living_relay_keeps_its_socket_and_a_file_stays(path: Path) -> None:
    async with server(path, count=count):
        with pytest.raises(OSError, match="another relay"):
            async with server(path, count=count):
                pass
        assert await collected(path, "count", to=1) == [{"number": 0}]
    path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        async with server(path, count=count):
            pass
    assert path.read_text() == "precious"


async def test_a_socket_where_too_many_clients_wait_belongs_to_a_living_relay(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(OSError, match="another relay"):
            async with server(path, count=count):
                pass
        assert path.exists()


async def test_a_request_that_is_too_long_is_refused(path: Path) -> None:
    async with server(path, count=count):
        with pytest.raises(VerbError, match="too long"):
            await collected(path, "count", to="1" * LIMIT)


async def test_answers_without_a_question_are_not_kept(path: Path) -> None:
    over = asyncio.Event()

    async def waits(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        try:
            yield {"begun": True}
            await asyncio.Event().wait()
        finally:
            over.set()

    async with server(path, waits=waits):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(encode({"verb": "waits"}) + encode({"answer": "x"}) * 3)
        assert b"begun" in await reader.readline()
        await over.wait()
        writer.close()


async def test_a_client_that_disconnects_cancels_its_verb(path: Path) -> None:
    cancelled = asyncio.Event()

    async def wait(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        try:
            yield {"waiting": True}
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    entries: list[Entry] = []
    async with ControlServer(
        path, {"wait": wait}, Journal(FakeClock(), entries.append), FakeClock()
    ):
        talk = converse(path, "wait", {}, nobody)
        assert await anext(talk) == {"waiting": True}
        await talk.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await cancelled.wait()
    assert entries == [], "it is no failure"


async def test_an_exception_in_a_verb_is_reported_and_the_daemon_goes_on(path: Path) -> None:
    entries: list[Entry] = []

    async def broken(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        raise ZeroDivisionError("by nothing")
        yield {}

    verbs = {"broken": broken, "count": count}
    async with ControlServer(path, verbs, Journal(FakeClock(), entries.append), FakeClock()):
        with pytest.raises(VerbError, match="ZeroDivisionError: by nothing"):
            await collected(path, "broken")
        assert await collected(path, "count", to=1) == [{"number": 0}]
    assert [entry.event for entry in entries] == ["control-failed"]


@pytest.mark.parametrize("line", [b"hello\n", b"[1]\n", b"\xff\n", b"x" * (LIMIT + 10) + b"\n"])
async def test_what_is_not_a_request_is_answered_with_an_error(path: Path, line: bytes) -> None:
    async with server(path, count=count):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line)
        assert b'"error"' in await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert await collected(path, "count", to=1) == [{"number": 0}]


async def test_a_client_for_which_there_is_no_memory_is_the_only_one_that_is_not_served(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_memory(_: object) -> None:
        raise MemoryError

    entries: list[Entry] = []
    clock = FakeClock()
    async with ControlServer(path, {"count": count}, Journal(clock, entries.append), clock):
        with monkeypatch.context() as short:
            short.setattr(asyncio, "StreamReader", without_memory)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                await until(lambda: entries)
        assert entries[0].fields["reason"] == "MemoryError: "
        assert await collected(path, "count", to=1) == [{"number": 0}]


async def test_a_path_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="choose a shorter state_directory"):
        async with server(tmp_path / ("x" * 120)):
            pass


# --- Who may ask ---------------------------------------------------------------------------------

ASK = """
import contextlib, os, socket, sys
path, group = sys.argv[1], int(sys.argv[2])
os.setgroups([group] if group else [])
os.setgid(65534)
os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(path)
except PermissionError:
    sys.exit("may not connect")
with contextlib.suppress(BrokenPipeError):
    client.sendall(b'{"verb": "count", "arguments": {"to": 1}}\\n')
print(client.makefile().readline())
"""
A_GROUP = "games"
"""One that every Debian has, and that nobody is in."""


async def asked_by_a_stranger(path: Path, group: int = 0) -> str:
    """The answer to another user of this machine, as a member of a group or of none."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ASK, str(path), str(group)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


@pytest.fixture
def open_path() -> Iterator[Path]:
    """In a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "control.sock"


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as somebody else")


@ROOT_ONLY
async def test_a_stranger_may_not_connect(open_path: Path) -> None:
    async with server(open_path, count=count):
        assert "may not connect" in await asked_by_a_stranger(open_path)


@ROOT_ONLY
async def test_a_stranger_who_can_connect_is_known_by_the_kernel_and_refused(
    open_path: Path,
) -> None:
    async with server(open_path, count=count):
        open_path.chmod(0o666)  # As a careless admin might.
        assert "uid 65534 may not control this relay" in await asked_by_a_stranger(open_path)


@ROOT_ONLY
async def test_a_group_that_is_named_may_ask_and_others_may_not(open_path: Path) -> None:
    group = grp.getgrnam(A_GROUP).gr_gid
    async with ControlServer(
        open_path, {"count": count}, Journal(FakeClock()), FakeClock(), A_GROUP
    ):
        found = open_path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)
        assert '{"event": {"number": 0}}' in await asked_by_a_stranger(open_path, group)
        assert "may not connect" in await asked_by_a_stranger(open_path)


async def test_a_missing_group_is_named(open_path: Path) -> None:
    with pytest.raises(OSError, match="no such group on this machine"):
        async with ControlServer(open_path, {}, Journal(FakeClock()), FakeClock(), "no-such-group"):
            pass


# --- Connections that occupy a slot
# ----------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b'{"verb": '])
async def test_a_client_that_sends_no_request_in_time_is_disconnected(
    path: Path, said: bytes
) -> None:
    clock = FakeClock()
    async with server(path, clock, count=count) as control:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(said)
        await until(lambda: clock.sleepers)
        await clock.advance(timedelta(seconds=9))
        assert control._conversations
        await clock.advance(timedelta(seconds=2))
        assert json.loads(await reader.readline()) == {"error": "no request came in time"}
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await until(lambda: not control._conversations)


async def test_a_verb_may_take_as_long_as_its_person_needs(path: Path) -> None:
    clock = FakeClock()

    async def sign_in(_: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        yield {"got": await ask("redirected")}

    async def think(what: str) -> str:
        await clock.advance(timedelta(minutes=15))
        return "http://localhost/"

    async with server(path, clock, sign_in=sign_in):
        assert await collected(path, "sign_in", think) == [{"got": "http://localhost/"}]


async def test_the_number_of_clients_is_limited_and_a_free_place_is_given_again(
    path: Path,
) -> None:
    clock = FakeClock()
    async with server(path, clock, count=count) as control:
        silent = [await asyncio.open_unix_connection(str(path)) for _ in range(64)]
        await until(lambda: clock.sleepers == 64)
        with pytest.raises(VerbError, match="too many clients at once"):
            await collected(path, "count", to=1)
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
        await until(lambda: not control._conversations)
        assert await collected(path, "count", to=1) == [{"number": 0}]


@ROOT_ONLY
async def test_the_last_places_are_not_for_the_group(open_path: Path) -> None:
    group, clock = grp.getgrnam(A_GROUP).gr_gid, FakeClock()
    async with ControlServer(open_path, {"count": count}, Journal(clock), clock, A_GROUP):
        silent = [await asyncio.open_unix_connection(str(open_path)) for _ in range(48)]
        await until(lambda: clock.sleepers == 48)
        assert "too many clients" in await asked_by_a_stranger(open_path, group)
        assert await collected(open_path, "count", to=1) == [{"number": 0}]
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
