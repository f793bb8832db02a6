"""The command line's end of the control socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from graphrelay.control.socket.messages import LIMIT, encode, read_message
from graphrelay.control.verb import Asker, Output, VerbError
from graphrelay.file_access import WRITE, advice


class NoDaemon(Exception):  # noqa: N818 (a condition that has an answer, not a failure)
    """Nothing listens at the control socket."""


async def converse(
    path: Path, verb: str, arguments: Mapping[str, Any], ask: Asker
) -> AsyncIterator[Output]:
    """Ask the daemon at `path` to carry out `verb`; yields its events. Raises `NoDaemon`,
    `VerbError`."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=LIMIT)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(str(path)) from error
    except PermissionError as error:
        raise VerbError(f"{path}: permission denied; {advice(path, WRITE)}") from error
    try:
        writer.write(encode({"verb": verb, "arguments": dict(arguments)}))
        with contextlib.suppress(ConnectionError):  # refused; the answer says why
            await writer.drain()
        while (message := await read_message(reader)) is not None:
            if "event" in message:
                yield message["event"]
            elif "ask" in message:
                writer.write(encode({"answer": await ask(str(message["ask"]))}))
                await writer.drain()
            elif "error" in message:
                raise VerbError(str(message["error"]))
            else:
                return
        raise VerbError("the daemon closed the connection before its answer was complete")
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
