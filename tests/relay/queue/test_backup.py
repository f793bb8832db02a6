"""Where the mail of a paused lane may be moved, and what stays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.journal import Journal
from graphrelay.model import (
    Address,
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
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, SendAsUser
from graphrelay.relay.queue.backup import Backups, TakeOver
from graphrelay.spool.queries import LogFilter
from tests.relay.accept.test_router import WEBSITE
from tests.relay.delivery import ScriptedGraph, ScriptedSpool
from tests.relay.mail import NOON, submission

APP = Account("alerts", "t", "c", AnyUser(ManagedIdentity()), ("*@contoso.com",))
FULL_NAMES = Account("alerts", "t", "c", AnyUser(ManagedIdentity()), ("info@contoso.com",))
USER = Account(
    "alerts", "t", "c", SendAsUser("al@contoso.com"), ("al@contoso.com", "wp@contoso.com")
)
WP = Lane("website", "wp@contoso.com")
EVERY = tuple(Trouble)
MAILBOX_TROUBLE = (Trouble.QUOTA, Trouble.BLOCKED)


def backups(other: Account, backup_of: Mapping[str, str] | None = None) -> Backups:
    named = {"website": "alerts"} if backup_of is None else backup_of
    return Backups({"website": WEBSITE, other.name: other}, named, {"alerts": 10_000})


@pytest.mark.parametrize("trouble", EVERY)
def test_without_a_word_of_the_admin_there_is_no_backup(trouble: Trouble) -> None:
    """Even if another account could use the same mailbox."""
    assert backups(APP, {}).for_lane(WP, trouble) is None
    assert backups(APP, {"alerts": "website"}).for_lane(WP, trouble) is None


def test_the_same_mailbox_is_kept_where_only_the_authorization_is_to_blame() -> None:
    assert backups(APP).for_lane(WP, Trouble.AUTHORIZATION) == Lane("alerts", WP.mailbox)
    assert backups(USER).for_lane(WP, Trouble.AUTHORIZATION) == Lane("alerts", WP.mailbox)
    elsewhere = backups(FULL_NAMES).for_lane(WP, Trouble.AUTHORIZATION)
    assert elsewhere == Lane("alerts", "info@contoso.com")


@pytest.mark.parametrize("trouble", MAILBOX_TROUBLE)
def test_a_full_or_blocked_mailbox_is_passed_by(trouble: Trouble) -> None:
    assert backups(USER).for_lane(WP, trouble) == Lane("alerts", "al@contoso.com")
    assert backups(APP).for_lane(WP, trouble) is None  # it has no mailbox of its own
    info = Lane("website", "info@contoso.com")
    assert backups(FULL_NAMES).for_lane(info, trouble) is None  # the same mailbox


@pytest.mark.parametrize(
    ("other", "mailbox", "before", "author", "after"),
    [
        (USER, "al@contoso.com", None, "wp@contoso.com", None),
        (USER, "al@contoso.com", "wp@contoso.com", "root@host", "wp@contoso.com"),
        (USER, "al@contoso.com", None, "info@contoso.com", "al@contoso.com"),
        (USER, "al@contoso.com", "info@contoso.com", "root@host", "al@contoso.com"),
        (APP, "info@contoso.com", None, "wp@contoso.com", "info@contoso.com"),
        (APP, "wp@contoso.com", None, "WP@contoso.com", None),
        (APP, "wp@contoso.com", None, None, None),
    ],
)
def test_from_is_what_the_backup_may_send_as(
    other: Account, mailbox: str, before: str | None, author: str | None, after: str | None
) -> None:
    plan = Plan(route="r", lane=WP, from_address=before, subject_prefix="[x]")
    authors = [Address.parse(author)] if author else []
    found = backups(other).plan(plan, authors, Lane("alerts", mailbox))
    assert found == replace(plan, lane=Lane("alerts", mailbox), from_address=after)


# --- What is moved -------------------------------------------------------------------------------

PAUSED = Paused(trouble=Trouble.AUTHORIZATION, status="4.7.0", reason="gone")
TO = Lane("alerts", WP.mailbox)
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
    take_over = TakeOver(spool, graph, Journal(spool.clock), backups(APP))
    found = await take_over.move(1, TO, PAUSED)
    events = [row for row in await spool.read(LogFilter()) if row.what == "moved"]
    assert (found is not None) == bool(events)
    if found is None:
        return None
    assert (found.submission_id, found.lane) == (1, TO)
    return (await spool.load(1)).plan, events[0].reason


async def test_what_waits_goes_with_its_reason() -> None:
    one = replace(
        submission(b"From: wp@contoso.com\r\n\r\nx", "a@b.example"), plan=Plan(route="r", lane=WP)
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
