"""What listings look like: a table for people, or one JSON object a line for programs."""

import errno
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

Output = dict[str, Any]

rows = click.IntRange(1, 1_000_000)
port = click.IntRange(0, 65_535)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line, for programs."
)


def print_json(event: Output) -> None:
    click.echo(json.dumps(event, ensure_ascii=False))


def never_fail() -> None:
    """Write what the encoding of a terminal or file does not have as `\\u2192`, so that no listing
    fails half-way. A program that was started without standard output gets the null device."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the exit)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


UNWRITTEN = (errno.EPIPE, errno.ENOSPC)
"""What an output that cannot be written fails with: nobody reads it, or the disk is full."""


def close_quietly(error: OSError) -> None:
    """Standard output cannot be written. A pipe closed by its reader, such as head(1), is not an
    error; a full disk is."""
    if error.errno != errno.EPIPE:
        click.echo(f"graphrelay: the output could not be written: {error.strerror}", err=True)
    # Python writes what is left when it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their cells; the last one takes the rest of the line."""
    widths = [
        max(len(head), *(len(row[column]) for row in rows)) if rows else len(head)
        for column, head in enumerate(heads)
    ]
    for number, row in enumerate([list(heads), *map(list, rows)]):
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        line = "  ".join([*padded, row[-1]]).rstrip()
        click.secho(line, bold=number == 0)


def size(octets: int) -> str:
    """`2.3 kB`, as the configuration writes sizes."""
    amount = float(octets)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def local_time(text: str | None) -> str:
    """A moment of an event (ISO 8601, UTC) in the local time zone, with its name."""
    if not text:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def people(addresses: Sequence[str], shown: int = 2) -> str:
    more = len(addresses) - shown
    listed = ", ".join(addresses[:shown])
    return f"{listed} and {more} more" if more > 0 else listed
