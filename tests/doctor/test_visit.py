"""A whole visit: all checks in the strict world, what is sent and to whom, and what is left."""

from pathlib import Path

import pytest

from graphrelay.doctor.check import Whom
from graphrelay.doctor.checks import CHECKS
from graphrelay.doctor.examination import Wish
from graphrelay.doctor.finding import LeftOut, NotKnown
from graphrelay.sandbox.directory import User
from graphrelay.sandbox.faults import Answer, CutAfter
from graphrelay.sandbox.graph.faults import Refuse
from tests.doctor.practice import ACCOUNT, ADDRESS, TO, Practice, differing, only, practice, strict

LETTERS = dict(letter for check in CHECKS for letter in check.sends)


def keys(here: Practice) -> list[str]:
    """Of the letters that Exchange took, in order."""
    return [mail.subject.split()[-1] for mail in here.world.cloud.mailboxes.submitted]


def left_in(here: Practice, user: User) -> int:
    box = here.world.cloud.mailboxes.box(user)
    return sum(1 for _ in box.items())


async def test_where_all_is_as_assumed_nothing_differs(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found = await here.visit()
        assert differing(found) == {}
        assert [*found] == [check.name for check in CHECKS]
        left_out = {name for name, one in found.items() if isinstance(one, LeftOut)}
        assert left_out == {"revoked"}


async def test_every_letter_goes_once_to_those_who_were_agreed_to(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        await here.visit()
        refused = {"path-address", "foreign-from"}
        assert sorted(keys(here)) == sorted(LETTERS.keys() - refused)
        for mail in here.world.cloud.mailboxes.submitted:
            key, who = (
                mail.subject.split()[-1],
                {*mail.received, *(b.address for b in mail.bounced)},
            )
            match LETTERS[key]:
                case Whom.OWN:
                    assert who <= {ADDRESS, "shop@contoso.com"}
                case Whom.BOTH:
                    assert who == {ADDRESS, TO}
                case Whom.NOBODY:
                    assert who == {f"nobody.{here.run}@graphrelay.invalid"}


async def test_nothing_is_left_in_the_mailbox(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        await here.visit()
        assert left_in(here, here.user) == 0


async def test_without_permanent_delete_all_is_in_deleted_items(tmp_path: Path) -> None:
    async with practice(tmp_path, strict(permanent_delete=False)) as here:
        await here.visit(only("draft-id", "draft-fresh", "no-copy"))
        folders = {
            item.folder.display_name for item in here.world.cloud.mailboxes.box(here.user).items()
        }
    assert folders == {"Deleted Items"}


@pytest.mark.parametrize(
    "fault",
    [
        CutAfter(path="/v1.0/me/sendMail"),
        Answer(status=503, path="/v1.0/me/sendMail"),
        Refuse(code="ErrorServerBusy", path="/v1.0/me/sendMail"),
    ],
    ids=["lost", "away", "busy"],
)
async def test_what_was_not_answered_is_not_sent_again(tmp_path: Path, fault: Answer) -> None:
    checks = ("from", "message-id", "x-headers", "octets", "no-copy")
    async with practice(tmp_path) as here:
        here.world.cloud.faults.on(fault)
        found = await here.visit(only(*checks))
        posts = [one for one in here.world.cloud.requests if one.path.endswith("/sendMail")]
    assert all(isinstance(found[name], NotKnown) for name in ("octets", "no-copy"))
    assert len(posts) == 3  # headers, octets, no-copy


async def test_a_check_that_is_skipped_neither_asks_nor_sends(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found = await here.visit(only("clock"))
        assert keys(here) == []
        assert found["size-mime"] == LeftOut("as you wish (--skip)")
        assert {entry["check"] for entry in here.entries} == {"clock"}


async def test_an_account_that_may_only_send_gets_what_can_be_known(tmp_path: Path) -> None:
    account = ACCOUNT.replace("true", "false")
    async with practice(tmp_path, account=account) as here:
        found = await here.visit()
        assert differing(found) == {}
        assert found["draft-id"] == LeftOut("the account has no Mail.ReadWrite")
        assert found["octets"] == LeftOut("the account has no Mail.Read or Mail.ReadWrite")
        sent = {"path-own", "path-upn", "path-object-id"}
        assert {*keys(here)} == sent


async def test_an_account_that_may_read_keeps_what_was_sent(tmp_path: Path) -> None:
    account = ACCOUNT.replace("large_messages = true", "large_messages = false")
    async with practice(tmp_path, account=account) as here:
        found = await here.visit(Wish(to=TO, skip=only("from", "draft-id").skip))
        assert differing(found) == {}
        assert left_in(here, here.user) == 2  # Inbox, Sent Items


async def test_without_an_authorization_what_needs_none_is_tried(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        await here.reach.tokens.revoke("website")
        found = await here.visit()
        assert differing(found).keys() == {"token"}
        ran = [name for name, one in found.items() if not isinstance(one, LeftOut)]
    assert ran == ["dns", "tls", "hosts", "clock", "redirect", "token"]
