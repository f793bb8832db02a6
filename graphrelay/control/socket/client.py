"""The command line's end of the control socket: without asyncio, which takes longer to import than
the relay takes to answer."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from graphrelay.control.socket.messages import LIMIT, decode, encode
from graphrelay.control.verb import Output, VerbError


class NoDaemon(Exception):  # noqa: N818 (a condition that has an answer, not a failure)
    """Nothing listens at the control socket."""


def converse(
    path: Path,
    verb: str,
    arguments: Mapping[str, Any],
    ask: Callable[[str], str],
    limit: float | None = None,
) -> Iterator[Output]:
    """Ask the daemon at `path` to carry out `verb`; yields its events. Raises `NoDaemon`,
    `VerbError`, and `TimeoutError` where nothing comes for `limit` seconds."""
    with connected(path, limit) as connection:
        yield from asked(connection, verb, arguments, ask)


def connected(path: Path, limit: float | None = None) -> socket.socket:
    """A connection to the daemon at `path`. Raises `NoDaemon`, `VerbError`."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(limit)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            raise NoDaemon(str(path)) from error
        if isinstance(error, PermissionError):
            from graphrelay.file_access import WRITE, advice

            raise VerbError(f"{path}: permission denied; {advice(path, WRITE)}") from error
        raise
    return connection


def asked(
    connection: socket.socket, verb: str, arguments: Mapping[str, Any], ask: Callable[[str], str]
) -> Iterator[Output]:
    """As `converse`, over a connection."""
    with connection.makefile("rb") as lines:
        _say(connection, {"verb": verb, "arguments": dict(arguments)})
        while (message := _next(lines)) is not None:
            if "event" in message:
                yield message["event"]
            elif "ask" in message:
                _say(connection, {"answer": ask(str(message["ask"]))})
            elif "error" in message:
                raise VerbError(str(message["error"]))
            else:
                return
    raise VerbError("the daemon closed the connection before its answer was complete")


def _say(connection: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):  # what is read next says why
        connection.sendall(encode(message))


def _next(lines: IO[bytes]) -> dict[str, Any] | None:
    try:
        line = lines.readline(LIMIT + 1)
    except ConnectionError as error:
        raise VerbError(f"the answer was cut off: {error}") from error
    if len(line) > LIMIT:
        raise VerbError(f"a line of the answer is longer than {LIMIT} octets")
    return decode(line)
