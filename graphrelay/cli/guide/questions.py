"""One question at a time, with a sentence that explains it.

An option answers its question in advance; with `--yes` the default does. After a bad answer the
question is repeated; a bad option ends the program.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from graphrelay.cli.guide.setup import NO_ID
from graphrelay.config.units import GUID, day, mailbox_pattern

T = TypeVar("T")


@dataclass(slots=True)
class Questions:
    """Answers from the options, and from the person for the rest."""

    config: Path
    options: Mapping[str, Any]
    silent: bool

    def given(self, key: str) -> Any:
        return self.options.get(key)

    def ask(
        self, key: str, why: str, prompt: str, check: Callable[[str], T], default: str | None = None
    ) -> T:
        """An answer that passes `check`, which raises `ValueError`."""
        said = self.given(key)
        if said is None and self.silent:
            said = default
        if said is not None:
            return self._checked(key, str(said), check)
        click.echo(f"\n{why}")
        while True:
            try:
                said = click.prompt(prompt, default=default, show_default=bool(default))
                return check(str(said).strip())
            except ValueError as problem:
                click.secho(f"  {problem}", fg="red")

    def choose(self, key: str, why: str, choices: Mapping[str, str], default: str) -> str:
        """One of several words, each explained."""
        if (said := self.given(key)) is not None or self.silent:
            return str(said or default)
        click.echo(f"\n{why}")
        for name, meaning in choices.items():
            click.echo(f"  {name:<17} {meaning}")
        return str(click.prompt("Which", type=click.Choice(list(choices)), default=default))

    def decide(self, key: str, why: str, prompt: str) -> bool:
        """Yes or no; the default is no."""
        if (said := self.given(key)) is not None or self.silent:
            return bool(said)
        click.echo(f"\n{why}")
        return click.confirm(prompt, default=False)

    def _checked(self, key: str, said: str, check: Callable[[str], T]) -> T:
        try:
            return check(said)
        except ValueError as problem:
            raise click.UsageError(f"{option_of(key)} {problem}, not {said!r}") from problem


def option_of(key: str) -> str:
    """`--mailbox` for `mailboxes`."""
    return "--mailbox" if key == "mailboxes" else f"--{key.replace('_', '-')}"


# --- Checks --------------------------------------------------------------------------------------


def no_secret_id(text: str) -> str:
    if GUID.fullmatch(text.strip()):
        raise click.UsageError("this is the secret's ID, but its value is needed")
    return text.strip()


def day_or_nothing(text: str) -> date | None:
    try:
        return day(text.strip()) if text.strip() else None
    except ValueError as problem:
        raise click.UsageError(str(problem)) from problem


def one_word(text: str) -> str:
    if not text or " " in text:
        raise ValueError("must be one word")
    return text


def account_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", text):
        raise ValueError("must be letters, digits, - and _")
    return text


def an_id(text: str) -> str:
    if not GUID.fullmatch(text):
        raise ValueError(f"must be an id such as {NO_ID}")
    return text.lower()


def absolute(text: str) -> Path:
    return Path(text).expanduser().absolute()


def mailboxes(text: str) -> tuple[str, ...]:
    return tuple(mailbox_pattern(one.strip()) for one in text.split(",") if one.strip())


def some_mailboxes(text: str) -> tuple[str, ...]:
    if not (found := mailboxes(text)):
        raise ValueError("must be at least one mail address, or *@ and a domain")
    return found
