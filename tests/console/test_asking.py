"""A page asks a verb."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from graphrelay.console.asking import asking
from graphrelay.control.verb import Asker, Output, VerbError


async def verb(arguments: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
    yield dict(arguments)
    if "asks" in arguments:
        yield {"answer": await ask("a code")}


async def test_arguments_that_say_nothing_are_left_out() -> None:
    ask = asking({"verb": verb})
    assert await ask("verb", account="website", sender="", limit=None, prove=False) == [
        {"account": "website", "prove": False}
    ]


async def test_a_question_that_no_page_answers_is_an_error() -> None:
    with pytest.raises(VerbError, match="a code"):
        await asking({"verb": verb})("verb", asks=True)
