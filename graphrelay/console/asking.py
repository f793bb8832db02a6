"""Asking a verb, as the command line does."""

from collections.abc import Mapping
from typing import Any, Protocol

from graphrelay.control.verb import Output, Verb, VerbError


class Ask(Protocol):
    """Carries out a verb that asks no questions; returns all its outputs. Raises `VerbError`."""

    async def __call__(self, verb: str, **arguments: Any) -> list[Output]: ...


def asking(verbs: Mapping[str, Verb]) -> Ask:
    """Among `verbs`. Arguments that are `None` or empty are left out."""

    async def ask(verb: str, **arguments: Any) -> list[Output]:
        given = {name: value for name, value in arguments.items() if value not in (None, "")}
        return [event async for event in verbs[verb](given, _nobody)]

    return ask


async def _nobody(what: str) -> str:
    raise VerbError(f"the verb asked for {what}, which this page cannot answer")
