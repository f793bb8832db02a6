"""Lines of JSON in both directions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.socket.messages import LIMIT, encode, read_message
from graphrelay.control.verb import Asker, Output, VerbError
from tests.control.socket.asking import collected, server


def reading(octets: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LIMIT)
    reader.feed_data(octets)
    reader.feed_eof()
    return reader


async def test_a_message_is_read_as_it_was_written() -> None:
    message = {"verb": "log", "arguments": {"sender": "ß→\n"}}
    assert encode(message).count(b"\n") == 1
    reader = reading(encode(message) + encode({"end": True}))
    assert await read_message(reader) == message
    assert await read_message(reader) == {"end": True}
    assert await read_message(reader) is None


async def test_a_line_that_was_cut_off_is_the_end() -> None:
    assert await read_message(reading(b'{"verb": ')) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello\n", "not a line of JSON"),
        (b"\xff\n", "not a line of JSON"),
        (b"[1]\n", "not a JSON object"),
        (b"x" * (LIMIT + 1) + b"\n", "too long"),
    ],
)
async def test_what_is_not_a_message_is_named(line: bytes, problem: str) -> None:
    with pytest.raises(VerbError, match=problem):
        await read_message(reading(line))


async def test_an_argument_that_is_no_utf_8_arrives_as_it_is(path: Path) -> None:
    async def echo(arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        yield dict(arguments)

    async with server(path, echo=echo):
        assert await collected(path, "echo", x="\udcff→") == [{"x": "\udcff→"}]
