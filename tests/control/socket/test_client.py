"""The command line's end: events, questions, and a daemon that is not there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.socket.client import NoDaemon
from graphrelay.control.socket.messages import LIMIT, encode
from graphrelay.control.verb import Asker, Output, VerbError
from tests.control.socket.asking import collected, count, server


async def test_a_verb_answers_with_its_events_in_order(path: Path) -> None:
    async with server(path, count=count):
        assert await collected(path, "count", to=3) == [
            {"number": 0},
            {"number": 1},
            {"number": 2},
        ]


async def test_a_verb_may_ask_a_question_while_it_runs(path: Path) -> None:
    async def paste(_: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        yield {"open": "https://login.example/"}
        yield {"got": await ask("redirected")}

    async def answer(what: str) -> str:
        return f"the {what} address"

    async with server(path, paste=paste):
        assert await collected(path, "paste", ask=answer) == [
            {"open": "https://login.example/"},
            {"got": "the redirected address"},
        ]


async def test_a_refusal_of_the_verb_reaches_the_person_as_its_sentence(path: Path) -> None:
    async def refuse(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        raise VerbError('no account is named "x"')
        yield {}

    async with server(path, refuse=refuse):
        with pytest.raises(VerbError, match='no account is named "x"'):
            await collected(path, "refuse")
        with pytest.raises(VerbError, match="no verb 'unheard'"):
            await collected(path, "unheard")


async def test_a_daemon_that_is_not_there_is_reported_as_such(path: Path) -> None:
    with pytest.raises(NoDaemon):
        await collected(path, "count", to=1)


async def test_a_line_without_end_is_not_read_to_its_end(path: Path) -> None:
    async def fill(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * LIMIT)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_unix_server(fill, path)
    async with listening:
        with pytest.raises(VerbError, match="longer than"):
            await collected(path, "count", to=1)


async def test_a_daemon_that_dies_is_not_taken_for_the_end(path: Path) -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(encode({"event": {"number": 0}}))
        writer.close()

    listening = await asyncio.start_unix_server(die, path)
    async with listening:
        with pytest.raises(VerbError, match="closed the connection before its answer was complete"):
            await collected(path, "count", to=1)
