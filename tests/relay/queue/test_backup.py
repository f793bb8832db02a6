"""What is moved from a paused lane to its backup, and what stays."""

from dataclasses import replace
from datetime import timedelta

from graphrelay.journal import Journal
from graphrelay.model import (
    Attempt,
    Delayed,
    DraftProgress,
    Lane,
    Paused,
    Plan,
    Queued,
    Submission,
    Trouble,
    Uncertain,
)
from graphrelay.oauth.answers import NotGranted, Unauthorized
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.spool.queries import LogFilter
from tests.relay.accept.test_router import WEBSITE
from tests.relay.delivery import ScriptedGraph, ScriptedSpool
from tests.relay.mail import NOON, submission

APP = Account("alerts", "t", "c", AnyUser(ManagedIdentity()), ("*@contoso.com",))
BACKUPS = Backups({"website": WEBSITE, "alerts": APP}, {"website": "alerts"}, {"alerts": 10_000})
PAUSED = Paused(trouble=Trouble.AUTHORIZATION, status="4.7.0", reason="gone")
TO = Lane("alerts", "wp@contoso.com")
LOST = Attempt(
    number=1,
    started_at=NOON,
    finished_at=NOON + timedelta(seconds=1),
    outcome=Uncertain(reason="lost"),
)
BUSY = replace(LOST, outcome=Delayed(status="4.3.2", reason="busy"))


async def moved(
    one: Submission | None,
    *history: Attempt,
    draft: DraftProgress | None = None,
    no_token: NotGranted | None = None,
) -> tuple[Plan, str] | None:
    """The new plan, and why; `None` if the mail stays."""
    spool, graph = ScriptedSpool(), ScriptedGraph()
    if no_token:
        graph.without_token["alerts"] = no_token
    if one is not None:
        spool.put(one)
    for attempt in history:
        assert one is not None
        await spool.begin(one, NOON, "c")
        if draft:
            await spool.keep_draft(one, draft)
        await spool.finish(one, attempt, Queued(NOON))
    take_over = TakeOver(spool, graph, Journal(spool.clock), BACKUPS)
    found = await take_over.move(1, TO, PAUSED)
    events = [row for row in await spool.read(LogFilter()) if row.what == "moved"]
    assert (found is not None) == bool(events)
    if found is None:
        return None
    assert (found.submission_id, found.lane) == (1, TO)
    return (await spool.load(1)).plan, events[0].reason


async def test_what_waits_goes_with_its_reason() -> None:
    one = replace(
        submission(b"From: wp@contoso.com\r\n\r\nx", "a@b.example"),
        plan=Plan(route="r", lane=Lane("website", "wp@contoso.com")),
    )
    why = "from website/wp@contoso.com to alerts/wp@contoso.com: authorization, gone"
    assert await moved(one) == (Plan(route="r", lane=TO), why)


async def test_what_may_have_been_sent_stays() -> None:
    one = submission(b"x", "a@b.example")
    assert await moved(one, LOST) is None
    assert await moved(one, BUSY) is not None


async def test_what_lies_in_drafts_stays() -> None:
    one = submission(b"x", "a@b.example")
    assert await moved(one, BUSY, draft=DraftProgress(id="A")) is None


async def test_what_is_too_large_for_the_backup_stays() -> None:
    assert await moved(submission(b"x" * 10_001, "a@b.example")) is None


async def test_everything_stays_while_the_backup_is_not_authorized() -> None:
    no = Unauthorized(reason="no", remedy="authorize")
    assert await moved(submission(b"x", "a@b.example"), no_token=no) is None


async def test_a_file_that_is_no_longer_there_is_not_moved() -> None:
    assert await moved(None) is None
