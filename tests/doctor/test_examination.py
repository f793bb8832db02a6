"""What the checks may ask, and what they may send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.doctor.examination import CannotTell, Examination, Wish, moment
from graphrelay.doctor.visit import Visit
from graphrelay.sandbox.faults import CutAfter
from tests.doctor.practice import ADDRESS, ALIAS, TO, practice


@asynccontextmanager
async def examination(folder: Path) -> AsyncIterator[tuple[Examination, list[str]]]:
    """And the subjects that were submitted."""
    async with practice(folder) as here:
        (account,) = here.reach.tokens.accounts
        visit = await Visit.begin(account, Wish(to=TO), here.reach)
        submitted: list[str] = []
        try:
            yield visit.examination, submitted
        finally:
            submitted += [mail.subject for mail in here.world.cloud.mailboxes.submitted]
            await visit.aclose()


async def test_a_letter_is_never_sent_twice_even_if_its_answer_was_lost(tmp_path: Path) -> None:
    async with examination(tmp_path) as (of, submitted):
        await of.send(of.letter("once"))
        with pytest.raises(AssertionError, match="sent before"):
            await of.send(of.letter("once"))
        with pytest.raises(AssertionError, match="sent before"):
            await of.send_json(of.letter("once"))
    assert len(submitted) == 1


@pytest.mark.parametrize("stranger", ["ceo@contoso.com", "nobody@graphrelay.invalid"])
async def test_nothing_is_sent_to_anybody_else(tmp_path: Path, stranger: str) -> None:
    async with examination(tmp_path) as (of, submitted):
        with pytest.raises(AssertionError, match=stranger):
            await of.send(of.letter("to", ADDRESS, bcc=(stranger,)))
        await of.send(of.letter("allowed", ADDRESS, ALIAS, TO, bcc=(of.nobody,)))
    assert len(submitted) == 1


async def test_what_never_arrives_cannot_be_told(tmp_path: Path) -> None:
    async with examination(tmp_path) as (of, _):
        with pytest.raises(CannotTell, match="nothing was found within 2 minutes"):
            await of.arrival(of.letter("lost"))


async def test_what_was_sent_in_vain_is_not_sent_again_but_looked_for(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        (account,) = here.reach.tokens.accounts
        visit = await Visit.begin(account, Wish(to=TO), here.reach)
        of = visit.examination
        here.world.cloud.faults.on(CutAfter(path="/v1.0/me/sendMail", times=1))
        with pytest.raises(CannotTell, match="the message was not taken"):
            await of.delivered(of.letter("lost"))
        assert (await of.delivered(of.letter("lost"))).value("subject").endswith(" lost")
        assert len(here.world.cloud.mailboxes.submitted) == 1
        await visit.aclose()


@pytest.mark.parametrize("text", [None, 7, "soon", "2026-11-23T12:00:00"])
def test_a_time_without_its_zone_is_none(text: object) -> None:
    assert moment(text) is None
