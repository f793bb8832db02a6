"""Writing the files of `init`: checked first, private from the first moment, and never incomplete.

A file is written under another name with its final owner and mode, then linked to its own name,
which fails if that exists; with `force` it replaces the old file in one step.
"""

import errno
import grp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrelay.config import ConfigError, load
from graphrelay.files import sync_directory, write_beside
from graphrelay.guide.config import config_text
from graphrelay.guide.setup import Setup, credential_of
from graphrelay.oauth.scenario import ClientSecret, SecretFile

GROUP = "graphrelay"
"""The group of the service, where it is installed: it has to read what root writes."""
_EXISTS = "{} exists already. Look at it, or overwrite it with --force"


class NotWritten(Exception):  # noqa: N818 (a condition, reported to the admin)
    """Nothing was written; the text says why, and what to do."""


class NotValid(NotWritten):
    """The configuration that the answers make cannot be used; `keys` are those of the mistakes."""

    def __init__(self, text: str, keys: frozenset[str]) -> None:
        super().__init__(text)
        self.keys = keys


def expect_place(config: Path, *, force: bool) -> None:
    """Raises `NotWritten` if it can be seen now that `write` would, so that nothing is asked in
    vain."""
    with _explained(config):
        if not force and config.exists():
            raise NotWritten(_EXISTS.format(config))
        folder = next(parent for parent in config.absolute().parents if parent.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def write(
    config: Path, setup: Setup, secret: str | None, *, command: str, force: bool
) -> tuple[Path, ...]:
    """What was written. Raises `NotWritten`."""
    written = [config]
    with _explained(config), _draft(config, config_text(setup, command)) as draft:
        _check(draft)
        if secret is not None:
            file = _secret_file(setup)
            with _explained(file), _draft(file, f"{secret}\n") as kept:
                _put(kept, file, force)
            written.insert(0, file)
        _put(draft, config, force)
    return tuple(written)


def _secret_file(setup: Setup) -> Path:
    credential = credential_of(setup.account)
    assert isinstance(credential, ClientSecret)  # noqa: S101 (else there is no secret)
    assert isinstance(credential.source, SecretFile)  # noqa: S101 (init keeps none in the file)
    return credential.source.path


def _check(draft: Path) -> None:
    try:
        load(draft)
    except ConfigError as error:
        problems = "\n  ".join(f"{problem.key}: {problem.text}" for problem in error.problems)
        names = frozenset(problem.key.rpartition(".")[2] for problem in error.problems)
        raise NotValid(f"the configuration would not be valid:\n  {problems}", names) from error


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """A file beside `path` that only its owner and the service may read."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = write_beside(path, text.encode(), _let_the_service_read)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def service_cannot_read() -> bool:
    """Whether root wrote for a service that is not installed yet."""
    return os.geteuid() == 0 and _group() is None


def _let_the_service_read(descriptor: int) -> None:
    group = _group()
    if os.geteuid() == 0 and group is not None:
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, 0o640)


def _group() -> int | None:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def _put(draft: Path, path: Path, force: bool) -> None:
    try:
        if force:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise NotWritten(_EXISTS.format(path)) from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "run this with sudo, or choose another file with --config"
        raise NotWritten(f"{path} cannot be written: {error.strerror}; {advice}") from error
