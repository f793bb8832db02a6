"""Lines of JSON in both directions."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.socket.messages import decode, encode
from graphrelay.control.verb import Asker, Output, VerbError
from tests.control.socket.asking import collected, server


def test_a_message_is_read_as_it_was_written() -> None:
    message = {"verb": "log", "arguments": {"sender": "ß→\n"}}
    assert encode(message).count(b"\n") == 1
    assert decode(encode(message)) == message


def test_a_line_that_was_cut_off_is_the_end() -> None:
    assert decode(b'{"verb": ') is None
    assert decode(b"") is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello\n", "not a line of JSON"),
        (b"\xff\n", "not a line of JSON"),
        (b"[1]\n", "not a JSON object"),
    ],
)
def test_what_is_not_a_message_is_named(line: bytes, problem: str) -> None:
    with pytest.raises(VerbError, match=problem):
        decode(line)


async def test_an_argument_that_is_no_utf_8_arrives_as_it_is(path: Path) -> None:
    async def echo(arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        yield dict(arguments)

    async with server(path, echo=echo):
        assert await collected(path, "echo", x="\udcff→") == [{"x": "\udcff→"}]
