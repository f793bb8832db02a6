"""One question at a time, with a sentence that explains it.

An option answers its question in advance; with `--yes` the default does. After a bad answer the
question is repeated; a bad option ends the program. Each answer is kept in a file until the
configuration is written, so that nothing is asked twice after Ctrl-C. A secret is never among them.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from graphrelay.guide.interview import option_of

T = TypeVar("T")


@dataclass(slots=True)
class TerminalQuestions:
    """Answers from the options, and from the person for the rest."""

    config: Path
    options: Mapping[str, Any]
    silent: bool
    answers: dict[str, Any] = field(default_factory=dict)
    """What a person answered, in this call and in one before that was interrupted."""

    @property
    def _draft(self) -> Path:
        return self.config.with_name(f".{self.config.name}.answers")

    def resume(self) -> None:
        """Take the answers that an interrupted call left."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._draft.read_text("utf-8"))
            if isinstance(found, dict) and found and not self.silent:
                self.answers.update(found)
                click.echo(f"Going on with the answers in {self._draft}; delete it to begin anew.")

    def finish(self) -> None:
        """The configuration is written, and the answers are not needed any more."""
        with contextlib.suppress(OSError):
            self._draft.unlink()

    def forget(self, key: str) -> None:
        """Ask this question again in the next call."""
        if self.answers.pop(key, None) is not None:
            self._keep()

    def _answered(self, key: str, said: Any) -> None:
        self.answers[key] = said
        self._keep()

    def _keep(self) -> None:
        with contextlib.suppress(OSError):  # a folder that is not there yet: then nothing is kept
            self._draft.touch(mode=0o600)
            self._draft.write_text(json.dumps(self.answers), "utf-8")

    def given(self, key: str) -> Any:
        return self.options.get(key)

    def ask(
        self,
        key: str,
        why: str,
        prompt: str,
        check: Callable[[str], T],
        default: str | None = None,
        *,
        example: str = "",
    ) -> T:
        """An answer that passes `check`, which raises `ValueError`."""
        said = self.given(key)
        if isinstance(said, tuple):
            said = ", ".join(said) or None
        if said is None and self.silent:
            said = default
        if said is not None:
            return self._checked(key, str(said), check)
        if key in self.answers:
            with contextlib.suppress(ValueError):
                return check(str(self.answers[key]))
        click.echo(f"\n{why}")
        while True:
            try:
                said = click.prompt(prompt, default=default, show_default=bool(default))
                found = check(str(said).strip())
            except ValueError as problem:
                click.secho(f"  {problem}", fg="red")
                continue
            self._answered(key, str(said).strip())
            return found

    def choose(self, key: str, why: str, choices: Mapping[str, str], default: str) -> str:
        """One of several words, each explained."""
        if (said := self.given(key)) is not None or self.silent:
            return str(said or default)
        if self.answers.get(key) in choices:
            return str(self.answers[key])
        click.echo(f"\n{why}")
        for name, meaning in choices.items():
            click.echo(f"  {name:<17} {meaning}")
        said = str(click.prompt("Which", type=click.Choice(list(choices)), default=default))
        self._answered(key, said)
        return said

    def decide(self, key: str, why: str, prompt: str) -> bool:
        """Yes or no; the default is no."""
        if (said := self.given(key)) is not None or self.silent:
            return bool(said)
        if key in self.answers:
            return bool(self.answers[key])
        click.echo(f"\n{why}")
        said = click.confirm(prompt, default=False)
        self._answered(key, said)
        return said

    def secret(self, why: str, check: Callable[[str], str]) -> str:
        """Not shown while it is typed, and kept nowhere; empty to add it later."""

        def checked(text: str) -> str:
            try:
                return check(text)
            except ValueError as problem:
                raise click.UsageError(str(problem)) from problem

        click.echo(f"\n{why}")
        said: str = click.prompt(
            "Value (not shown)",
            hide_input=True,
            default="",
            show_default=False,
            value_proc=checked,
        )
        return said

    def refuse(self, text: str) -> NoReturn:
        """End the program: the options cannot be used together."""
        raise click.UsageError(text)

    def _checked(self, key: str, said: str, check: Callable[[str], T]) -> T:
        try:
            return check(said)
        except ValueError as problem:
            raise click.UsageError(f"{option_of(key)} {problem}, not {said!r}") from problem
