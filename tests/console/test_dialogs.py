"""Dialogs: they go on without their page, ask, and end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from graphrelay.console.dialogs import FIRST, MOST, Dialogs
from graphrelay.control.verb import Asker, Output, VerbError
from tests.clock import FakeClock, settle


async def sign_in(_: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
    yield {"kind": "open-elsewhere", "url": "https://login"}
    for seconds in (3, 2, 1):
        yield {"kind": "waiting", "seconds": seconds}
    yield {"kind": "authorized", "who": await ask("redirected")}


async def fails(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    yield {"kind": "asks"}
    raise VerbError("there is no account")


async def breaks(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    yield {"kind": "asks"}
    raise RuntimeError("oh")


async def lasts(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
    yield {"kind": "asks"}
    await asyncio.Event().wait()


def dialogs() -> tuple[Dialogs, list[int]]:
    changes: list[int] = []
    return Dialogs(lambda: changes.append(1)), changes


async def test_a_dialog_asks_its_person_and_goes_on_with_the_answer() -> None:
    all_of_them, changes = dialogs()
    dialog = all_of_them.begin(sign_in, "authorize", "website", "otto", {})
    await dialog.begun(FakeClock())
    await settle()
    assert dialog.asks == "redirected"
    assert [event["kind"] for event in dialog.events] == ["open-elsewhere", "waiting"]
    assert dialog.last("waiting") == {"kind": "waiting", "seconds": 1}
    assert dialog.answer("http://localhost/?code=1")
    await settle()
    assert not dialog.answer("again"), "nobody asks any more"
    assert dialog.over
    assert dialog.last("authorized") == {"kind": "authorized", "who": "http://localhost/?code=1"}
    assert len(changes) == 4, "the address, the first number, who signed in, and the end"


async def test_what_a_verb_says_against_it_is_shown() -> None:
    all_of_them, _ = dialogs()
    dialog = all_of_them.begin(fails, "authorize", "website", "otto", {})
    await dialog.begun(FakeClock())
    assert (dialog.over, dialog.error) == (True, "there is no account")


async def test_a_mistake_of_ours_ends_the_dialog_and_says_so() -> None:
    all_of_them, _ = dialogs()
    dialog = all_of_them.begin(breaks, "authorize", "website", "otto", {})
    await dialog.begun(FakeClock())
    assert dialog.over
    assert "RuntimeError" in dialog.error


async def test_a_page_waits_only_shortly_for_the_first_answer() -> None:
    all_of_them, _ = dialogs()
    clock = FakeClock()
    dialog = all_of_them.begin(lasts, "send-test", "website", "otto", {})
    waiting = asyncio.create_task(dialog.begun(clock))
    await clock.advance(FIRST)
    await waiting
    assert not dialog.over
    await all_of_them.aclose()


async def test_nobody_sees_the_dialog_of_somebody_else() -> None:
    all_of_them, _ = dialogs()
    dialog = all_of_them.begin(lasts, "authorize", "website", "otto", {})
    assert all_of_them.find(dialog.id, "otto") is dialog
    assert all_of_them.find(dialog.id, "vera") is None
    assert all_of_them.find("guess", "otto") is None
    await all_of_them.aclose()


async def test_beginning_again_ends_what_was_begun_before() -> None:
    all_of_them, _ = dialogs()
    first = all_of_them.begin(lasts, "authorize", "website", "otto", {})
    await settle()
    second = all_of_them.begin(lasts, "authorize", "website", "otto", {})
    await settle()
    assert first.over
    assert not second.over
    assert all_of_them.find(first.id, "otto") is None
    await all_of_them.aclose()


async def test_of_very_many_dialogs_the_oldest_ends() -> None:
    all_of_them, _ = dialogs()
    made = [all_of_them.begin(lasts, "send-test", str(n), "otto", {}) for n in range(MOST + 1)]
    await settle()
    assert [dialog.over for dialog in made] == [True, *[False] * MOST]
    await all_of_them.aclose()
    assert all(dialog.over for dialog in made)
