"""The daemon's end of the control socket.

What is always true here: a client has ten seconds to send its request (the verb may then take as
long as a person needs to sign in), and the number of clients is limited. The last places are
reserved for root and the relay's own user, so that no member of the group can keep them out.
"""

import asyncio
import contextlib
import errno
import grp
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from graphrelay.clock import Clock, timeout
from graphrelay.control.socket.messages import LIMIT, decode, encode
from graphrelay.control.verb import Verb, VerbError
from graphrelay.journal import Journal, events
from graphrelay.smtp.accepting import Accepting
from graphrelay.smtp.access.admission import peer_uid
from graphrelay.smtp.sockets import remove_stale_socket

_LONGEST_PATH = 107
_TIME_TO_ASK: Final = timedelta(seconds=10)
_BACKLOG: Final = 100
_PLACES: Final = 64
_KEPT_FREE: Final = 16
"""Places that are reserved for root and the relay's own user."""


_IN_USE: Final = "another relay listens there; give each its own [control] socket, or none"


class _ClientLeft(Exception):  # noqa: N818 (a person's right, not a failure)
    """The client disconnected: Ctrl-C, most likely."""


class ControlServer:
    """Serves `verbs` on a Unix socket at `path`, to root, to this user and, if it is given, to
    `group`. The socket is created with its final mode, so that others can never connect."""

    def __init__(
        self,
        path: Path,
        verbs: Mapping[str, Verb],
        journal: Journal,
        clock: Clock,
        group: str | None = None,
    ) -> None:
        self._path = path
        self._verbs = verbs
        self._journal = journal
        self._clock = clock
        self._group = group
        self._accepting: Accepting | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "ControlServer":
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise OSError(
                f"{self._path}: too long for the path of a Unix socket; "
                "choose a shorter state_directory"
            )
        listening = _bound(self._path, self._group)
        self._accepting = Accepting(listening, self._protocol, self._note_trouble)
        self._accepting.start(_BACKLOG)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._accepting:
            self._accepting.close()
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        with contextlib.suppress(OSError):  # on a read-only disk; the next start replaces it
            self._path.unlink()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(LIMIT), self._converse)

    def _note_trouble(self, error: Exception) -> None:
        self._journal.write(events.ControlFailed(reason=f"{type(error).__name__}: {error}"))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._conversations.add(task)
        try:
            await self._answer(reader, writer)
        except (_ClientLeft, ConnectionError, asyncio.CancelledError):
            pass  # the client disconnected, or the daemon stops
        finally:
            self._conversations.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._let_in(_peer_uid(writer))
            request = await self._request(reader)
            if request is None:
                return
            verb = self._verbs.get(str(request.get("verb")))
            if verb is None:
                name = request.get("verb")
                raise VerbError(f"no verb {name!r}; the running relay may be an older version")
            await self._run(verb, request.get("arguments") or {}, reader, writer)
            writer.write(encode({"end": True}))
        except VerbError as error:
            writer.write(encode({"error": str(error)}))
        except _ClientLeft:
            raise
        except Exception as error:  # the border: the person and the journal get the error
            self._note_trouble(error)
            writer.write(encode({"error": f"the relay failed: {type(error).__name__}: {error}"}))
        await writer.drain()

    def _let_in(self, uid: int) -> None:
        """Raises `VerbError` for a client that may not ask, or not now."""
        is_owner = uid in (0, os.geteuid())
        if not is_owner and not self._group:
            raise VerbError(f"uid {uid} may not control this relay; run it with sudo")
        if len(self._conversations) > (_PLACES if is_owner else _PLACES - _KEPT_FREE):
            raise VerbError("too many clients at once; try again later")

    async def _request(self, reader: asyncio.StreamReader) -> dict[str, Any] | None:
        """The request, or `None` if the client disconnected. Raises `VerbError`."""
        try:
            async with timeout(self._clock, _TIME_TO_ASK):
                return await _next(reader)
        except TimeoutError as error:
            raise VerbError("no request came in time") from error

    async def _run(
        self,
        verb: Verb,
        arguments: Mapping[str, object],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send the verb's events, and cancel the verb as soon as the client disconnects."""
        answers: asyncio.Queue[str] = asyncio.Queue(1)

        async def ask(what: str) -> str:
            writer.write(encode({"ask": what}))
            await writer.drain()
            return await answers.get()

        async def speak() -> None:
            answering = verb(arguments, ask)
            try:
                async for event in answering:
                    writer.write(encode({"event": event}))
                    await writer.drain()
            finally:  # a verb that has something to clean up does so now
                if isinstance(answering, AsyncGenerator):
                    await answering.aclose()

        async def listen() -> None:
            while (message := await _next(reader)) is not None:
                if answers.full():
                    return  # more answers than questions; they are not kept
                answers.put_nowait(str(message.get("answer", "")))

        speaking = asyncio.create_task(speak())
        listening = asyncio.create_task(listen())
        try:
            await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not speaking.done():
                raise _ClientLeft
            speaking.result()
        finally:
            for task in (speaking, listening):
                task.cancel()
            await asyncio.gather(speaking, listening, return_exceptions=True)


async def _next(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """What the client says next, or `None` after its end. Raises `VerbError`."""
    try:
        return decode(await reader.readline())
    except (ValueError, ConnectionError) as error:
        raise VerbError(f"the line is too long or was cut off: {error}") from error


def _bound(path: Path, group: str | None) -> socket.socket:
    """A socket bound at `path`; one that a dead relay left there is replaced. Raises `OSError`."""
    try:
        remove_stale_socket(path)
    except PermissionError:
        # Left by a relay that ran as another user. It has ended: the spool's lock is ours.
        path.unlink(missing_ok=True)
    except OSError as error:
        reason = _IN_USE if error.errno == errno.EADDRINUSE else error.strerror
        raise OSError(f"{path}: {reason}") from error
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        if group:
            _open_to(path, group)
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _open_to(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
        path.chmod(0o660)
    except KeyError as error:
        raise OSError(f'[control] group = "{group}": no such group on this machine') from error
    except PermissionError as error:
        raise OSError(
            f'[control] group = "{group}": {path} can only be given to a group that the relay\'s '
            f"user is in. In the unit: SupplementaryGroups={group}"
        ) from error


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    uid = peer_uid(writer.get_extra_info("socket"))
    return os.geteuid() if uid is None else uid  # unknown on this system: the mode alone decides
