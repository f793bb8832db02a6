"""An additional account for a running relay: its questions, its registration, and its file.

    answers ──▶ FormQuestions ──▶ interview ──▶ account ──▶ load (as if the file existed) ──▶ file

Before anything is written, the whole configuration is checked, as by `check-config`. An existing
file is never replaced. If this process may not write, the answer contains the text to paste.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from graphrelay.config import ConfigError, load
from graphrelay.config.account_files import AccountFile, file_of
from graphrelay.files import sync_directory, write_beside
from graphrelay.guide import azure, exchange, portal
from graphrelay.guide.config import INTRUDER, WHAT, account_text
from graphrelay.guide.form import FormField, FormQuestions
from graphrelay.guide.interview import interview_about_account
from graphrelay.guide.setup import Registration, credential_of
from graphrelay.oauth.scenario import SCENARIO_NAMES, Application, ClientSecret, SecretFile

FILE_MODE, DIRECTORY_MODE = 0o640, 0o750


@dataclass(frozen=True, slots=True)
class AccountDraft:
    """The result of the answers."""

    fields: tuple[FormField, ...]
    complete: bool
    registration: Registration
    file: AccountFile
    """Where the account belongs, with its text."""
    secret: str | None
    problems: tuple[str, ...]
    """Of the whole configuration with this account in it."""

    @property
    def usable(self) -> bool:
        return self.complete and not self.problems


def scenarios() -> list[dict[str, str]]:
    """Each with what it may do, and what an intruder could do with it."""
    return [
        {"name": name, "does": WHAT[kind], "intruder": INTRUDER[kind]}
        for kind, name in SCENARIO_NAMES.items()
    ]


def answered(config: Path, answers: Mapping[str, str]) -> AccountDraft:
    """From the `answers`, for the configuration `config`. Raises `ConfigError` if that has mistakes
    already."""
    settings = load(config, may_be_missing=True)
    questions = FormQuestions(file_of(config.absolute(), "x").path, answers)
    others = bool(settings.accounts)
    found, senders, secret = interview_about_account(questions, settings.cloud, others=others)
    name = found.account.name
    file = file_of(config, name).with_text(account_text(found.account, senders))
    fields = list(questions.fields)
    if name in settings.accounts or file.path.exists():
        fields = [_taken(one) if one.key == "account" else one for one in fields]
    complete = not any(one.missing or one.problem for one in fields)
    problems = _problems(config, file) if complete else ()
    return AccountDraft(tuple(fields), complete, found, file, secret, problems)


def _taken(name: FormField) -> FormField:
    """The question about the name, if the configuration has an account of that name. If it was only
    proposed, it becomes an example."""
    if not name.answer:
        return replace(name, missing=True, optional=False)
    text = "there is an account of this name; choose another"
    return replace(name, problem=name.problem or text)


def _problems(config: Path, file: AccountFile) -> tuple[str, ...]:
    try:
        load(config, more=(file,), may_be_missing=True)
    except ConfigError as error:
        return tuple(map(str, error.problems))
    return ()


def shown(of: AccountDraft) -> dict[str, Any]:
    """For people, without any secret."""
    account, cloud = of.registration.account, of.registration.cloud.name
    scoped = SCENARIO_NAMES[type(account.scenario)] == "scoped-users"
    return {
        "kind": "answered",
        "scenarios": scenarios(),
        "fields": [asdict(one) for one in of.fields],
        "complete": of.complete,
        "problems": list(of.problems),
        "account": account.name,
        "file": str(of.file.path),
        "portal": portal.steps(of.registration),
        "azure": azure.commands(of.registration),
        "powershell": exchange.script(account, cloud, "", "CustomAttribute1", "") if scoped else [],
    }


def write(config: Path, of: AccountDraft) -> Iterator[dict[str, Any]]:
    """Write the files if the answers are complete; yields what was written, or what to do
    instead."""
    files = [(of.file.path, of.file.text)]
    credential = credential_of(of.registration.account)
    if of.secret and isinstance(credential, ClientSecret):
        assert isinstance(credential.source, SecretFile)  # noqa: S101 (the interview made it)
        files.insert(0, (credential.source.path, f"{of.secret}\n"))
    try:
        _make_directory(of.file.path.parent, _owned_as(config, DIRECTORY_MODE))
        _put_all(files, _owned_as(config, FILE_MODE))
    except OSError as error:
        yield {
            "kind": "paste",
            "reason": f"{error.filename or of.file.path}: {error.strerror}",
            "file": str(of.file.path),
            "text": of.file.text,
            "secret_file": str(files[0][0]) if len(files) > 1 else "",
        }
        return
    yield {
        "kind": "written",
        "account": of.registration.account.name,
        "application": isinstance(of.registration.account.scenario, Application),
        "files": [str(path) for path, _ in files],
    }


def _make_directory(path: Path, own: Callable[[int], None]) -> None:
    """Unless it exists, with its mode whatever the umask is. Raises `OSError`."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if path.is_dir():
            return
        raise
    descriptor = os.open(path, os.O_RDONLY)
    try:
        own(descriptor)
    finally:
        os.close(descriptor)


def _put_all(files: list[tuple[Path, str]], own: Callable[[int], None]) -> None:
    """All of them or none; an existing file is never overwritten. Raises `OSError`."""
    with ExitStack() as undo:
        for path, text in files:
            draft = write_beside(path, text.encode(), own)
            try:
                path.hardlink_to(draft)
            finally:
                draft.unlink()
            undo.callback(path.unlink)
        sync_directory(files[0][0].parent)
        undo.pop_all()


def _owned_as(config: Path, mode: int) -> Callable[[int], None]:
    """With `mode` and the group of the main file, or of its directory, if this process may set
    that."""
    group = next((one.stat().st_gid for one in (config, config.parent) if one.exists()), -1)

    def own(descriptor: int) -> None:
        if os.geteuid() == 0 or group in {os.getegid(), *os.getgroups()}:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)

    return own
