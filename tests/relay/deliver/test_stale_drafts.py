"""Drafts that are no longer used by a message are deleted, and nothing else."""

import asyncio
from datetime import timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from graphrelay.graph import drafts as graph_drafts
from graphrelay.graph.drafts import Drafted, Seen
from graphrelay.graph.session import Mime
from graphrelay.model import Address
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import Answer, CutAfter
from graphrelay.sandbox.graph.faults import Refuse, UnknownRecipient
from graphrelay.spool.queries import LeftDrafts, QueueFilter
from tests.graph.scripted import Octets, session_of
from tests.relay.cloud import WP
from tests.relay.deliver.large import UPLOAD, USERS, accept, drafts, large, whole


@pytest.fixture
def cloud(small_limits: Sandbox) -> Sandbox:
    return small_limits


@pytest.mark.parametrize("delete_fails", [False, True])
async def test_the_draft_of_what_is_given_up_is_deleted(
    cloud: Sandbox, tmp_path: Path, delete_fails: bool
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Refuse(path=USERS, method="POST", code="ErrorSendAsDenied", every=4))
        if delete_fails:
            cloud.mailboxes.settings.permanent_delete = False
            cloud.faults.on(Answer(method="DELETE", status=503, times=1))
        await accept(delivery)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "failed"]
        assert drafts(delivery) == int(delete_fails)
        await delivery.stale_drafts.sweep()
        assert drafts(delivery) == 0
        assert await delivery.spool.read(LeftDrafts()) == []
        assert delivery.told("draft-swept") == ["draft-swept"] * delete_fails


@pytest.mark.parametrize("delete_fails", [False, True])
async def test_the_draft_of_what_is_divided_is_deleted(
    cloud: Sandbox, tmp_path: Path, delete_fails: bool
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(UnknownRecipient(address="bad@example.org"))
        if delete_fails:
            cloud.mailboxes.settings.permanent_delete = False
            cloud.faults.on(Answer(method="DELETE", status=503, times=1))
        await accept(delivery, besides=(Address("bad", "example.org"),))
        await delivery.until(
            lambda: set(delivery.told("failed", "relayed")) == {"failed", "relayed"}
        )
        whole(delivery)
        assert drafts(delivery) == int(delete_fails)
        await delivery.stale_drafts.sweep()
        assert drafts(delivery) == 0
        assert delivery.told("draft-swept") == ["draft-swept"] * delete_fails


async def test_the_draft_of_what_a_person_deletes_is_deleted(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Answer(path=UPLOAD, status=503, times=1))
        await accept(delivery)
        await delivery.ended(1)
        [row] = await delivery.spool.read(QueueFilter())
        await delivery.queue.delete(row.queue_id, "not wanted")
        assert drafts(delivery) == 1
        await delivery.stale_drafts.sweep()
        assert drafts(delivery) == 0


async def test_an_error_in_a_round_is_logged_and_the_next_round_comes(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with large(cloud, tmp_path) as delivery:
        monkeypatch.setattr(delivery.stale_drafts, "sweep", AsyncMock(side_effect=ValueError("x")))
        sweeping = asyncio.create_task(delivery.stale_drafts.run())
        await delivery.clock.advance(timedelta(minutes=6))
        assert delivery.told() == ["drafts-broke"] * 2
        sweeping.cancel()


async def test_a_draft_that_was_sent_after_all_stays_in_sent_items(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(CutAfter(path=USERS, method="POST", every=5, times=1))
        await accept(delivery, {"a.pdf": 2_000, "b.pdf": 3_000, "c.pdf": 70_000})
        await delivery.ended(1)
        [row] = await delivery.spool.read(QueueFilter())
        await delivery.queue.delete(row.queue_id, "not wanted")
        await delivery.stale_drafts.sweep()
        user = cloud.directory.user(WP.mailbox)
        assert user is not None
        assert len(cloud.mailboxes.sent_items(user)) == 1
        assert await delivery.spool.read(LeftDrafts()) == []


@pytest.mark.parametrize("permanent_delete", [True, False])
async def test_a_deleted_draft_is_found_no_more(
    cloud: Sandbox, tmp_path: Path, permanent_delete: bool
) -> None:
    """Also where it stays in Deleted Items."""
    cloud.mailboxes.settings.permanent_delete = permanent_delete
    octets = Octets(b"To: you@example.org\r\nMessage-ID: <d@contoso.com>\r\n\r\ntext\r\n")
    async with large(cloud, tmp_path) as delivery:
        session = await session_of(delivery.graph, WP)
        made = await graph_drafts.create(session, Mime(octets))
        assert isinstance(made, Drafted)
        seen = await graph_drafts.find(session, "<d@contoso.com>")
        assert isinstance(seen, Seen)
        assert [copy.id for copy in seen.copies] == [made.id]
        assert await graph_drafts.delete(session, made.id)
        assert await graph_drafts.find(session, "<d@contoso.com>") == Seen(())
        assert await graph_drafts.look_at(session, made.id) == Seen(())
        assert await graph_drafts.delete(session, made.id)
        assert drafts(delivery) == 0
