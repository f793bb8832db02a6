"""Relays with one queue are one relay to the people who run them, and to the cloud."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from graphrelay.sandbox.graph.faults import Refuse
from tests.alerts.receiver import receiving
from tests.e2e.sharing import Host, Sharing, run, sharing


async def test_relays_take_turns_with_refresh_tokens_that_work_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await run(seconds=10, folder=tmp_path)
    with capsys.disabled():
        print(f"\nsharing: {report}")
    assert len(report.submitted_by) > 1
    assert report.refreshes > 1
    assert report.holds, report


async def until(*hosts: Host, mailbox: str, state: str) -> None:
    """Returns when each of them shows the lane so."""
    async with asyncio.timeout(60):
        for host in hosts:
            while (row := await host.lane(mailbox)) is None or row["state"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def waiting_in(host: Host, mailbox: str) -> list[str]:
    """Queue ids, as this host lists them."""
    return [row["queue_id"] for row in await host.ask("queue-list", mailbox=mailbox)]


async def test_people_see_and_do_everything_on_any_host_and_an_alert_comes_once(
    tmp_path: Path,
) -> None:
    async with receiving() as receiver:
        alerts = f'\n[[alerts.webhooks]]\nurl = "{receiver.url}"\n'
        async with sharing(tmp_path, "ab", alerts) as all_:
            await authorized_on_one_host(all_)
            await seen_and_tried_again_on_another_host(all_)
            await revoked_on_one_host(all_, receiver.posted)


async def authorized_on_one_host(all_: Sharing) -> None:
    a, b = all_.hosts.values()
    await a.authorize()
    await all_.floods["b"].send(24, 2)
    await all_.emptied()
    await all_.shared_out()
    for host in (a, b):
        [status] = await host.ask("status", account="website", prove=False)
        assert status["status"] == "Authorized"
        assert status["vault"].startswith("database ([spool] url; key file")


async def seen_and_tried_again_on_another_host(all_: Sharing) -> None:
    a, b = all_.hosts.values()
    theirs = all_.mailbox_of("b")
    all_.cloud.faults.on(Refuse(code="ErrorQuotaExceeded", mailbox=theirs))
    await all_.floods["a"].send(24, 2)
    await until(a, b, mailbox=theirs, state="quota")
    seen, own = await a.lane(theirs), await b.lane(theirs)
    assert seen
    assert own
    assert (seen["host"], own["host"]) == ("b", "")
    for field in ("reason", "remedy", "waiting", "in_flight", "allowed", "oldest"):
        assert seen[field] == own[field], field
    assert [budget["used"] for budget in seen["budgets"]] == [
        budget["used"] for budget in own["budgets"]
    ]
    first, other = await waiting_in(a, theirs)
    await a.ask("queue-hold", what="hold", queue_id=other, reason="to be looked at")
    [shown] = await b.ask("queue-show", queue_id=other)
    assert "to be looked at" in str(shown)
    all_.cloud.faults.clear()
    await a.ask("queue-retry", what="retry", queue_id=first)
    async with asyncio.timeout(60):  # by itself it would try again in a quarter of an hour
        while first in await waiting_in(b, theirs):  # noqa: ASYNC110 (another process sends it)
            await asyncio.sleep(0.1)
    await a.ask("queue-release", what="release", queue_id=other)
    await all_.emptied()
    assert {row["queue_id"] for row in await b.ask("log", queue_id=other)} == {other}


async def revoked_on_one_host(all_: Sharing, posted: list[dict[str, Any]]) -> None:
    a, b = all_.hosts.values()
    own, theirs = all_.mailbox_of("a"), all_.mailbox_of("b")
    sent = len(all_.cloud.mailboxes.submitted)
    all_.server.execute(_NOTE_WHO_SAW)
    await a.ask("revoke", account="website")
    await all_.floods["a"].send(24, 2)
    await until(a, b, mailbox=own, state="authorization")
    await until(a, b, mailbox=theirs, state="authorization")
    assert len(all_.cloud.mailboxes.submitted) == sent
    async with asyncio.timeout(90):
        while _saw(all_) != {"a", "b"} or not _about_authorization(posted):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await b.authorize()
    await all_.emptied()
    assert len(_about_authorization(posted)) == 1, posted


_NOTE_WHO_SAW = """
CREATE TABLE public.saw (kind text, relay text);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.saw VALUES (NEW.kind, NEW.relay); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON graphrelay.alerts
    FOR EACH ROW EXECUTE FUNCTION public.note();
"""
"""The row of an alert has the last relay that saw it alone, and two may see it at one moment."""


def _saw(all_: Sharing) -> set[str]:
    rows = all_.server.execute(
        "SELECT r.host FROM public.saw JOIN graphrelay.relays r ON r.id = saw.relay"
        " WHERE saw.kind = 'authorization'"
    )
    return {host for (host,) in rows}


def _about_authorization(posted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in posted if (one["kind"], one["state"]) == ("authorization", "raised")]
