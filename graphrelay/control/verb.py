"""Verbs: a verb takes arguments, may ask its user for more, and yields outputs.

A verb is the same whether the daemon carries it out for a client of its socket, or the command line
does so itself because no daemon is running.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

Output = dict[str, Any]
"""What `--json` prints as one line."""
LONGEST_SAID = 500
"""The limit in characters for text written by an administrator, such as the reason of a hold."""


class VerbError(Exception):
    """The verb cannot be carried out; the text is shown to the user."""


class Asker(Protocol):
    """How a verb asks its user a question while it runs."""

    async def __call__(self, what: str, /) -> str: ...


Verb = Callable[[Mapping[str, Any], Asker], AsyncIterator[Output]]
"""Takes the arguments and a way to ask; yields outputs. Raises `VerbError`."""


def said(arguments: Mapping[str, Any], name: str) -> str:
    """What a person wrote there for other people: one printable line of bounded length. The person
    who reads it may be root at a terminal, and need not be the person who wrote it."""
    from graphrelay.model import one_line  # the command line does not need it: it starts sooner

    return one_line(arguments.get(name) or "", LONGEST_SAID)
