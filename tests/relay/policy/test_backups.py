"""Where the mail of a paused lane may be moved."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from graphrelay.model import Address, Lane, Plan, Trouble
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, SendAsUser
from graphrelay.relay.policy.backups import Backups
from tests.relay.accept.test_router import WEBSITE

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
