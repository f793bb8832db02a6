"""Asking a verb, as the command line does."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from graphrelay.control.verb import Output, Verb, VerbError


class Ask(Protocol):
    """Carries out a verb that asks no questions; returns all its outputs. Raises `VerbError`."""

    async def __call__(self, verb: str, **arguments: Any) -> list[Output]: ...


def asking(verbs: Mapping[str, Verb]) -> Ask:
    """Among `verbs`. Arguments that are `None` or empty are left out."""

    async def ask(verb: str, **arguments: Any) -> list[Output]:
        return [output async for output in outputs(verbs, verb, **arguments)]

    return ask


async def outputs(
    verbs: Mapping[str, Verb], verb: str, **arguments: Any
) -> AsyncGenerator[Output, None]:
    """The same, one after the other."""
    given = {name: value for name, value in arguments.items() if value not in (None, "")}
    async for output in verbs[verb](given, _nobody):
        yield output


async def _nobody(what: str) -> str:
    raise VerbError(f"the verb asked for {what}, which this page cannot answer")
