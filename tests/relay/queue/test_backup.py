"""Where the mail of a paused lane may go instead, and what stays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.journal import Journal
from graphrelay.model import (
    Address,
    Attempt,
    DraftProgress,
    Lane,
    Paused,
    Plan,
    Submission,
    Trouble,
    Uncertain,
    Waiting,
)
from graphrelay.oauth.answers import NotGranted, Unauthorized
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, SendAsUser
from graphrelay.relay.queue.backup import Backups, TakeOver
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.values import MessageHistory, PartHistory
from tests.clock import FakeClock
from tests.relay.accept.test_router import WEBSITE
from tests.relay.delivery import ScriptedGraph
from tests.relay.mail import NOON, ORIGIN, submission

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
    """Also where another account could use the very mailbox."""
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


class OneSubmission:
    """A spool that holds it."""

    def __init__(self, one: Submission | None, *history: Attempt) -> None:
        self.one = one
        self.history = history
        self.moved: list[tuple[int, Plan, str]] = []

    async def load(self, submission_id: int) -> Submission:
        if self.one is None:
            raise NotQueued(str(submission_id))
        return self.one

    async def show(self, queue_id: str) -> MessageHistory | None:
        one = self.one
        assert one is not None
        part = PartHistory(
            submission_id=one.id,
            queue_id=queue_id,
            recipients=one.envelope.forward_paths,
            plan=one.plan,
            state=None,  # type: ignore[arg-type]
            done_at=None,
            in_flight=None,
            history=self.history,
        )
        return MessageHistory(
            queue_id=queue_id,
            received_at=NOON,
            sender=None,
            origin=ORIGIN,
            message_id="",
            subject="",
            size=0,
            octets_kept=True,
            parts=(part,),
        )

    async def move(self, submission_id: int, plan: Plan, reason: str) -> Waiting | None:
        self.moved.append((submission_id, plan, reason))
        return Waiting(submission_id, plan.lane, NOON, NOON)


async def moved(
    one: Submission | None, *history: Attempt, no_token: NotGranted | None = None
) -> OneSubmission:
    spool, graph = OneSubmission(one, *history), ScriptedGraph()
    if no_token:
        graph.without_token["alerts"] = no_token
    take_over = TakeOver(spool, graph, Journal(FakeClock()), backups(APP))
    waiting = Waiting(1, WP, NOON, NOON)
    found = await take_over.move(waiting, TO, PAUSED)
    assert (found is not None) == bool(spool.moved)
    return spool


async def test_what_waits_goes_with_its_reason() -> None:
    one = replace(
        submission(b"From: wp@contoso.com\r\n\r\nx", "a@b.example"), plan=Plan(route="r", lane=WP)
    )
    spool = await moved(one)
    ((number, plan, reason),) = spool.moved
    assert (number, plan) == (1, Plan(route="r", lane=TO))
    assert reason == ("from website/wp@contoso.com to alerts/wp@contoso.com: authorization, gone")


async def test_what_may_have_been_sent_stays() -> None:
    one = replace(submission(b"x", "a@b.example"), attempts=1)
    assert (await moved(one, LOST)).moved == []
    assert (await moved(one)).moved != []


async def test_what_lies_in_drafts_stays() -> None:
    one = replace(submission(b"x", "a@b.example"), draft=DraftProgress(id="A"))
    assert (await moved(one)).moved == []


async def test_what_is_too_large_for_the_backup_stays() -> None:
    assert (await moved(submission(b"x" * 10_001, "a@b.example"))).moved == []


async def test_everything_stays_while_the_backup_is_not_authorized() -> None:
    no = Unauthorized(reason="no", remedy="authorize")
    assert (await moved(submission(b"x", "a@b.example"), no_token=no)).moved == []


async def test_a_file_that_is_no_longer_there_is_reported_as_vanished() -> None:
    assert (await moved(None)).moved == []
