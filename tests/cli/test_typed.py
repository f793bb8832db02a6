"""A line that is typed, piped, or read from a file."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
import pytest

from graphrelay.cli.typed import typed_line


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written there is typed."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as stdin:  # noqa: PTH123 (a descriptor)
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing


async def test_a_line_is_what_comes_before_its_end(pipe: int) -> None:
    os.write(pipe, "http://localhost/?code=é\r\nmore".encode())
    assert await typed_line() == "http://localhost/?code=é"
    os.close(pipe)


async def test_a_line_without_an_end_is_one(pipe: int) -> None:
    os.write(pipe, b"x" * 60_000)
    os.close(pipe)
    assert await typed_line() == "x" * 60_000


async def test_no_line_is_given_up(pipe: int) -> None:
    os.close(pipe)
    with pytest.raises(click.Abort):
        await typed_line()


async def test_a_file_is_read_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "address").write_text("http://localhost/?code=1\n", "utf-8")
    file: TextIO
    with (tmp_path / "address").open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert await typed_line() == "http://localhost/?code=1"
