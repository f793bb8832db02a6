"""The questions as a form: all at once, each with what is wrong with its answer.

The same interview runs over the answers that are there. For an answer that is missing or wrong it
continues with an example, so that every question is reached; the result counts only if the form is
complete.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from graphrelay.guide.setup import NO_ID

T = TypeVar("T")
Kind = Literal["text", "choice", "decision", "secret"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One question, its answer, and what is wrong with it."""

    key: str
    kind: Kind
    why: str
    prompt: str
    answer: str = ""
    """Never a secret's."""
    problem: str = ""
    missing: bool = False
    optional: bool = False
    example: str = ""
    """Also what no answer means, if it is optional."""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class FormQuestions:
    """`Questions` over `answers`, for the account's file `config`."""

    config: Path
    answers: Mapping[str, str]
    fields: list[FormField] = field(default_factory=list)
    silent: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong."""
        return not any(one.missing or one.problem for one in self.fields)

    def given(self, _: str) -> Any:
        return None

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
        answer = self.answers.get(key, "").strip()
        if default == NO_ID:  # a form cannot leave it for later
            example, default = NO_ID, None
        value, problem = check(example if default is None else default), ""
        if answer:
            value, problem = self._checked(answer, check, value)
        missing = not answer and default is None
        self.fields.append(
            FormField(
                key=key,
                kind="text",
                why=_without_keyboard(why),
                prompt=prompt,
                answer=answer,
                problem=problem,
                missing=missing,
                optional=default is not None,
                example=default or example,
            )
        )
        return value

    def choose(self, key: str, why: str, choices: Mapping[str, str], default: str) -> str:
        answer = self.answers.get(key, default)
        known = answer if answer in choices else default
        self.fields.append(
            FormField(
                key=key,
                kind="choice",
                why=why,
                prompt=key.capitalize(),
                answer=known,
                choices=tuple(choices.items()),
            )
        )
        return known

    def decide(self, key: str, why: str, prompt: str) -> bool:
        answer = self.answers.get(key) == "yes"
        said = "yes" if answer else ""
        self.fields.append(FormField(key=key, kind="decision", why=why, prompt=prompt, answer=said))
        return answer

    def secret(self, why: str, check: Callable[[str], str]) -> str:
        answer = self.answers.get("client_secret", "").strip()
        value, problem = self._checked(answer, check, "")
        self.fields.append(
            FormField(
                key="client_secret",
                kind="secret",
                why=_without_keyboard(why),
                prompt="The secret's value",
                problem=problem,
                missing=not answer,
            )
        )
        return value or "-"  # so that the question about its end is found

    def refuse(self, text: str) -> NoReturn:
        raise AssertionError(text)  # nothing is given in advance

    def _checked(self, answer: str, check: Callable[[str], T], otherwise: T) -> tuple[T, str]:
        try:
            return check(answer), ""
        except ValueError as problem:
            return otherwise, str(problem)


def _without_keyboard(why: str) -> str:
    """Without the remarks about the Enter key, which mean nothing in a form."""
    return why.partition(" Enter: ")[0]
