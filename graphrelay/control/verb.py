"""What a verb is: it takes arguments, may ask its person for more, and yields events.

The verbs are the same whether the daemon carries them out for a client of its socket, or the
command line by itself with no daemon running. Events are what `--json` prints.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from graphrelay.model import one_line

Event = dict[str, Any]
LONGEST_SAID = 500
"""Characters of a text that a person writes for other people, such as the reason of a hold."""


class VerbError(Exception):
    """The verb cannot be carried out; the text is for the person who asked."""


class Asker(Protocol):
    """How a verb asks its person a question while it runs."""

    async def __call__(self, what: str) -> str: ...


Verb = Callable[[Mapping[str, Any], Asker], AsyncIterator[Event]]
"""Takes the arguments and a way to ask; yields events. Raises `VerbError`."""


def said(arguments: Mapping[str, Any], name: str) -> str:
    """What a person wrote there for other people: one printable line of bounded length. The person
    who reads it may be root at a terminal, and need not be the person who wrote it."""
    return one_line(arguments.get(name) or "", LONGEST_SAID)
