"""Carrying out a verb: by the running daemon over its control socket, or by this process.

Without a daemon a verb runs in this process, as the owner of the state directory, so that no file
there ever gets another owner. A person who is neither that owner nor root gets an error that says
what to run.
"""

import contextlib
import os
import pwd
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from graphrelay.cli import machine
from graphrelay.control.verb import Asker, Output, VerbError

if TYPE_CHECKING:
    from graphrelay.config import ConfigError, Settings
    from graphrelay.daemon.reading import Unusable

NO, USAGE, BAD_CONFIG = 1, 2, 78


class CommandFailed(click.ClickException):
    """A sentence for the person, and exit status 1."""

    exit_code = NO

    def show(self, file: Any = None) -> None:
        click.secho(f"graphrelay: {self.message}", err=True, fg="red")


def settings_from(path: Path) -> "Settings":
    """The configuration; with mistakes, prints them all and exits with status 78."""
    settings, unseen = checked(path)
    if unseen:
        raise CommandFailed(
            f"the relay is not running, and systemd gives {', '.join(unseen)} to it alone. Run: "
            "sudo systemctl start graphrelay   and then this command again"
        )
    return settings


def checked(path: Path) -> "tuple[Settings, list[str]]":
    """The configuration, and which of its secrets are systemd credentials, which only the service
    can read."""
    from graphrelay.config import ConfigError, load
    from graphrelay.oauth.vault.unit import service_unit

    try:
        return load(path), []
    except ConfigError as error:
        unseen = service_unit().credentials
        with contextlib.suppress(ConfigError):
            return load(path, unseen), [name for name in unseen if name.startswith("accounts.")]
        end_with_problems(error)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """A configuration that this process may not read ends the program with what to do."""
    try:
        yield
    except PermissionError:
        settings_from(path)
        raise


def own_state_directory(config: Path, instead: str) -> Path:
    """The state directory, if the queue is in it. Raises `CommandFailed`, with what to do
    `instead`."""
    from graphrelay.control.socket.place import spool_is_shared, state_directory_of

    with readable(config):
        if spool_is_shared(config) or _shared_by_the_daemon(config):
            raise CommandFailed(f"the queue is in PostgreSQL. {instead}")
        return state_directory_of(config)


def _shared_by_the_daemon(config: Path) -> bool:
    """Its own environment may name a database of which the configuration says nothing."""
    from graphrelay.control.socket.client import NoDaemon

    try:
        return any(by_the_daemon(config, "hosts", {}))
    except (NoDaemon, PermissionError):  # then it is said what else prevents it
        return False
    except VerbError as error:
        raise CommandFailed(str(error)) from error


def end_with_problems(error: "ConfigError | Unusable") -> NoReturn:
    """Print every mistake, and exit with status 78."""
    for problem in error.problems:
        click.echo(f"{error.path}: {problem}", err=True)
    sys.exit(BAD_CONFIG)


_PATIENCE = 5.0
"""Seconds to wait for a process that has the spool open."""
_LOOK_AGAIN = 0.1


class _Taken(Exception):  # noqa: N818 (a condition that may pass)
    """Another process has the spool open."""


async def _no_answer(what: str) -> str:
    raise VerbError(f"the verb asked for {what}, which this command cannot answer")


def carry_out(
    config: Path,
    verb: str,
    arguments: Mapping[str, Any],
    show: Callable[[Output], None],
    ask: Asker = _no_answer,
) -> bool:
    """Carry out `verb`, and pass each event to `show`; whether the running relay did it. Raises
    `CommandFailed`."""
    from graphrelay.control.socket.client import NoDaemon

    async def show_all(answers: AsyncIterator[Output]) -> None:
        async for event in answers:
            show(event)

    taken: _Taken | None = None
    by_the_relay = True

    def carried_out() -> bool:
        """`False` while the spool is open in another command, or in a daemon that is starting."""
        nonlocal taken, by_the_relay
        by_the_relay = True
        with readable(config):
            answers = by_the_daemon(config, verb, arguments, ask)
        try:
            for event in answers:
                show(event)
        except NoDaemon:
            import asyncio

            by_the_relay = False
            settings, start = settings_from(config), machine.start(config)
            try:
                asyncio.run(show_all(_by_ourselves(settings, start, verb, arguments, ask)))
            except _Taken as error:
                taken = error
                return False
        return True

    until = time.monotonic() + _PATIENCE
    try:
        while not carried_out():
            if time.monotonic() >= until:
                raise VerbError(str(taken))
            time.sleep(_LOOK_AGAIN)
    except VerbError as error:
        raise CommandFailed(str(error)) from error
    except KeyboardInterrupt as error:
        raise click.Abort from error
    return by_the_relay


def by_the_daemon(
    config: Path,
    verb: str,
    arguments: Mapping[str, Any],
    ask: Asker = _no_answer,
    limit: float | None = None,
) -> Iterator[Output]:
    """Reads only where the daemon is from the configuration: the daemon has read the rest, with
    secrets that this process may not have."""
    from graphrelay.control.socket.client import converse
    from graphrelay.control.socket.place import control_socket

    def answered(what: str) -> str:
        import asyncio

        return asyncio.run(ask(what))

    return converse(control_socket(config), verb, arguments, answered, limit)


async def _by_ourselves(
    settings: "Settings", start: str, verb: str, arguments: Mapping[str, Any], ask: Asker
) -> AsyncIterator[Output]:
    # What keeps authorizations, too, before the owner: libraries may be where only root can read.
    from graphrelay.daemon import keeper_process  # noqa: F401
    from graphrelay.daemon.relay import CannotStart, SpoolTaken, verbs_without_daemon
    from graphrelay.daemon.wiring import wired
    from graphrelay.memory import disable_core_dumps

    values = wired(settings)
    become_owner(values.state_directory, verb, start)
    disable_core_dumps()  # last, since a change of user undoes it
    try:
        async with verbs_without_daemon(values) as verbs:
            if verb not in verbs:
                raise VerbError(f"no relay is running, and {verb} needs one. Run: {start}")
            async for event in verbs[verb](arguments, ask):
                yield event
    except SpoolTaken as error:
        raise _Taken(str(error)) from error
    except CannotStart as error:
        raise VerbError(str(error)) from error


def become_owner(directory: Path, doing: str, start: str) -> None:
    """Continue as the owner of `directory`. Raises `VerbError` where that is not possible."""
    owner = _owner_to_become(directory, doing, start)
    if owner is None:
        return
    try:
        os.initgroups(owner.name, owner.group)
        os.setgid(owner.group)
        os.setuid(owner.user)
    except OSError as error:
        raise VerbError(
            f"{directory} belongs to {owner.name}, and this process cannot act as {owner.name}: "
            f"{error}"
        ) from error


@contextlib.contextmanager
def acting_as_owner(directory: Path, doing: str, start: str) -> Iterator[None]:
    """As `become_owner`, until the block ends."""
    owner = _owner_to_become(directory, doing, start)
    if owner is None:
        yield
        return
    ours = os.getegid()
    os.setegid(owner.group)
    os.seteuid(owner.user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(ours)


class _Owner(NamedTuple):
    user: int
    group: int
    name: str


def _owner_to_become(directory: Path, doing: str, start: str) -> _Owner | None:
    """`None`: this process is the owner, or there is no directory and it will create it. Raises
    `VerbError` for a person who is neither the owner nor root."""
    try:
        owner = directory.stat()
    except FileNotFoundError:
        return None
    except PermissionError:
        _refuse(directory, doing, "another user", start)
    if owner.st_uid == os.geteuid():
        return None
    try:
        user = pwd.getpwuid(owner.st_uid).pw_name
    except KeyError:
        user = f"#{owner.st_uid}"
    if os.geteuid() != 0:
        _refuse(directory, doing, user, start)
    return _Owner(owner.st_uid, owner.st_gid, user)


def _refuse(directory: Path, doing: str, user: str, start: str) -> NoReturn:
    raise VerbError(
        f"no relay is running, and {directory} belongs to {user}. Run {doing} with sudo, or start "
        f"the relay first: {start}"
    )
