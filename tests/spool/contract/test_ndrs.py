"""An NDR finds the message that it is about, and is recorded once."""

from datetime import timedelta

from graphrelay.model import Address, Done, Lane
from graphrelay.spool.changes import Changed, NotChanged, NoteNdr
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf, LanesUsed, LogFilter, RelayedTo
from graphrelay.spool.values import RelayedPart
from tests.spool.mail import ANNA, BERT, NOON, WEBSITE, a_message, plan, put, relayed

ID = "<1@contoso.com>"
HOUR = timedelta(hours=1)


async def sent(spool: Spool, *parts: tuple[Address, ...], lane: Lane = WEBSITE) -> list[int]:
    found = []
    for part in await put(spool, message=a_message(*((plan(lane), paths) for paths in parts))):
        await spool.begin(part, NOON, "c")
        await spool.finish(part, relayed(), Done("relayed"))
        found.append(part.id)
    return found


async def test_it_finds_the_part_that_went_to_the_recipient(spool: Spool) -> None:
    _, to_bert = await sent(spool, (ANNA,), (BERT,))
    found = await spool.read(RelayedTo(("<unknown@x>", ID), "bert@EXAMPLE.org"))
    assert found is not None
    assert found.submission_id == to_bert
    assert found.queue_id.endswith("/2")


async def test_for_an_address_that_was_rewritten_it_finds_the_latest_with_the_message_id(
    spool: Spool,
) -> None:
    await sent(spool, (ANNA,))
    [latest] = await sent(spool, (BERT,))
    found = await spool.read(RelayedTo((ID,), "rewritten@contoso.com"))
    assert isinstance(found, RelayedPart)
    assert found.submission_id == latest


async def test_it_finds_nothing_that_was_not_relayed_or_has_another_message_id(
    spool: Spool,
) -> None:
    await put(spool)
    assert await spool.read(RelayedTo((ID,), str(ANNA))) is None
    await sent(spool, (ANNA,))
    assert await spool.read(RelayedTo(("<other@contoso.com>",), str(ANNA))) is None
    assert await spool.read(RelayedTo((), str(ANNA))) is None


async def test_it_is_recorded_once_beside_what_was_relayed(spool: Spool) -> None:
    [one] = await sent(spool, (ANNA,))
    ndr = NoteNdr(one, "5.1.10 no such recipient", NOON + HOUR)

    assert isinstance(await spool.change(ndr), Changed)
    again = await spool.change(ndr)

    assert isinstance(again, NotChanged)
    assert again.why == "known"
    newest, *_ = rows = await spool.read(LogFilter())
    assert [row.what for row in rows] == ["bounced", "relayed"]
    assert (newest.reason, newest.at) == (ndr.reason, ndr.at)
    history = await spool.read(HistoryOf(newest.queue_id))
    assert history is not None
    assert history.parts[0].state == Done("relayed")


async def test_another_ndr_for_the_same_message_is_recorded_too(spool: Spool) -> None:
    [one] = await sent(spool, (ANNA,))
    for reason in ("5.1.10 anna", "5.1.10 bert"):
        assert isinstance(await spool.change(NoteNdr(one, reason, NOON)), Changed)
    assert [row.what for row in await spool.read(LogFilter())] == ["bounced", "bounced", "relayed"]


async def test_lanes_are_polled_only_where_something_was_relayed_lately(spool: Spool) -> None:
    alerts = Lane("alerts", "info@contoso.com")
    await sent(spool, (ANNA,), lane=alerts)
    await sent(spool, (ANNA,), (BERT,))
    await put(spool, message=a_message((plan(Lane("idle", "idle@contoso.com")), (ANNA,))))

    used = await spool.read(LanesUsed(NOON))
    assert sorted(lane.account for lane in used) == ["alerts", "website"]
    assert await spool.read(LanesUsed(NOON + HOUR)) == []
