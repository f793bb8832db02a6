"""What arrives: header fields, letters, blind copies, copies in Sent Items."""

from dataclasses import replace
from pathlib import Path

import pytest

from graphrelay.doctor import arrival
from graphrelay.sandbox.graph.faults import HeadersDropped
from tests.doctor.practice import differing, only, practice
from tests.doctor.worlds import Row, finds, worlds_of

RUN = "0a1b2c3d"


@pytest.mark.parametrize("row", worlds_of(arrival), ids=str)
async def test_what_exchange_changes_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)


async def test_a_mailbox_that_learns_nothing_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        here.world.cloud.faults.on(HeadersDropped(names=(f"X-Graphrelay-{RUN}-Taught",)))
        found = differing(await here.visit(only("taught"), run=RUN))
    assert found == {"taught": "different: lost all the same"}


async def test_a_copy_that_was_not_wanted_is_named(tmp_path: Path) -> None:
    """Exchange saves a copy all the same."""
    async with practice(tmp_path) as here:
        mailboxes = here.world.cloud.mailboxes
        submit = mailboxes.submit
        mailboxes.submit = lambda sender, message, draft=None: submit(  # type: ignore[method-assign]
            sender, replace(message, saved_to_sent=True), draft
        )
        found = differing(await here.visit(only("no-copy")))
    assert found == {"no-copy": "different: there is a copy"}
