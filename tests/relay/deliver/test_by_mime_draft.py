"""Large messages as a MIME draft to which the files are added: whatever Exchange makes of such a
draft, and at whatever step anything fails, they arrive complete and once."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from graphrelay.graph import attachments
from graphrelay.graph import drafts as graph_drafts
from graphrelay.graph.session import GraphReply
from graphrelay.model import Plan, Submission, Uncertain
from graphrelay.relay.deliver.dispatcher import MIME_DRAFT_ATTEMPTS
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import (
    AnswerAfter,
    CutAfter,
    CutBefore,
    Delay,
    Fault,
    Stall,
)
from graphrelay.sandbox.graph.faults import CutMidBody, Refuse
from graphrelay.sandbox.mailbox_items import Mail
from tests.clock import FakeClock
from tests.e2e.large import file, letter, part
from tests.relay.cloud import WP, Delivery
from tests.relay.deliver.large import USERS, accept, drafts, large, until_relayed, whole

STEPS = 11
"""Requests: draft, count, a file, session, three pieces, a file, count, read back, send."""
MIME = Plan(route="default", lane=WP)
SIGNED = (
    b"--s\r\nContent-Type: text/plain\r\n\r\nSigned \r\n"
    b"--s\r\nContent-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP\r\n--s--"
)
TEXTS = (
    b'Content-Type: multipart/alternative; boundary="a"\r\n\r\n'
    b"--a\r\nContent-Type: text/plain; format=flowed\r\n\r\nplain \r\n"
    b"--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--"
)


@pytest.fixture
def cloud(small_limits: Sandbox) -> Sandbox:
    small_limits.mailboxes.settings.mime_draft_files = "kept"
    return small_limits


async def accept_with(delivery: Delivery, texts: bytes, number: int = 1) -> Submission:
    """A letter with these texts, a field that JSON would lose, and a file."""
    whole = letter(part("a.pdf", 200_000)).partition(b"\r\n--b\r\nContent-Type: application")[2]
    header = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    return await delivery.accept(
        number,
        header=f"Auto-Submitted: auto-generated\r\n{header}",
        body=b"--b\r\n" + texts + b"\r\n--b\r\nContent-Type: application" + whole,
    )


def only(delivery: Delivery) -> Mail:
    (mail,) = delivery.submitted
    [one] = [one for one in mail.content.attachments if one.name == "a.pdf"]
    assert one.content == file("a.pdf", 200_000)
    return mail


def lost(delivery: Delivery) -> list[str]:
    [entry] = [entry for entry in delivery.entries if entry.event == "relayed"]
    return list(entry.fields.get("lost") or ())  # type: ignore[arg-type]


async def test_texts_and_header_fields_keep_their_octets(cloud: Sandbox, tmp_path: Path) -> None:
    async with large(cloud, tmp_path) as delivery:
        await accept_with(delivery, TEXTS)
        await until_relayed(delivery)
        mail = only(delivery)
        assert TEXTS in mail.raw
        assert b"\r\nAuto-Submitted: auto-generated\r\n" in mail.raw
        assert not [one for one in lost(delivery) if "alternative in" in one or "header" in one]


async def test_a_signed_text_beside_a_large_file_keeps_its_octets(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        signed = b'Content-Type: multipart/signed; boundary="s"\r\n\r\n' + SIGNED
        await accept_with(delivery, signed)
        await until_relayed(delivery)
        assert signed in only(delivery).raw


@pytest.mark.parametrize("habit", ["properties", "left-out"])
async def test_what_would_break_a_signature_is_not_sent(
    cloud: Sandbox, tmp_path: Path, habit: Literal["properties", "left-out"]
) -> None:
    cloud.mailboxes.settings.mime_draft_files = habit
    async with large(cloud, tmp_path) as delivery:
        await accept_with(
            delivery, b'Content-Type: multipart/signed; boundary="s"\r\n\r\n' + SIGNED
        )
        await delivery.ended(1)
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert failed.fields["status"] == "5.6.3"
        assert delivery.submitted == []
        assert drafts(delivery) == 0


@pytest.mark.parametrize("habit", ["kept", "properties", "left-out"])
async def test_whatever_exchange_makes_of_the_draft_the_files_arrive(
    cloud: Sandbox, tmp_path: Path, habit: Literal["kept", "properties", "left-out"]
) -> None:
    cloud.mailboxes.settings.mime_draft_files = habit
    async with large(cloud, tmp_path) as delivery:
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        mail = whole(delivery)
        assert b"X-Job: 7" in mail.raw
        assert drafts(delivery) == 0
        given_up = ["mime-draft-given-up"] * (habit != "kept")
        assert delivery.told() == ["attempt", *given_up, "relayed"]


async def test_where_nothing_is_lost_but_what_json_loses_the_draft_is_sent(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.mime_draft_files = "properties"
    async with large(cloud, tmp_path) as delivery:
        await accept_with(delivery, TEXTS)
        await until_relayed(delivery)
        only(delivery)
        assert delivery.told() == ["attempt", "relayed"]
        assert {"the alternative in text/plain", "the header field Auto-Submitted"} < set(
            lost(delivery)
        )


async def test_a_lane_whose_drafts_lose_files_makes_no_other_for_a_day(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.mime_draft_files = "left-out"
    async with large(cloud, tmp_path) as delivery:
        for number in (1, 2):
            await accept_with(delivery, TEXTS, number)
            await until_relayed(delivery)
        assert delivery.told("mime-draft-given-up") == ["mime-draft-given-up"]
        assert len(delivery.submitted) == 2


@pytest.mark.parametrize("code", ["ErrorMimeContentInvalid", "BadRequest", "UnsupportedMediaType"])
async def test_where_graph_refuses_the_draft_in_mime_it_goes_as_json(
    cloud: Sandbox, tmp_path: Path, code: str
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Refuse(path=f"{USERS}/messages", code=code, status=400, times=1))
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        whole(delivery)
        assert delivery.told() == ["attempt", "mime-draft-given-up", "relayed"]


async def test_what_cannot_be_read_back_as_mime_goes_as_json(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        code = "ErrorMimeContentConversionFailed"
        cloud.faults.on(Refuse(part="graph", code=code, status=500, every=STEPS - 1, times=1))
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0


async def test_attachments_that_exchange_finds_in_the_mime_itself_are_not_counted(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = attachments.count

    async def one_more(*given: Any, **more: Any) -> Any:
        found = await count(*given, **more)
        return found + 1 if isinstance(found, int) else found

    monkeypatch.setattr(attachments, "count", one_more)
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(CutAfter(part="graph", every=6, times=1))
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        whole(delivery)
        assert delivery.told("mime-draft-given-up") == []


async def test_what_always_breaks_goes_as_json_at_last(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*given: object) -> GraphReply:
        return GraphReply(Uncertain(reason="a fault that nobody has thought of"))

    monkeypatch.setattr(graph_drafts, "beginning", broken)
    async with large(cloud, tmp_path) as delivery:
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        whole(delivery)
        assert delivery.told("delayed") == ["delayed"] * MIME_DRAFT_ATTEMPTS
        assert drafts(delivery) == 0


BREAKS: list[Callable[..., Fault]] = [
    CutBefore,
    CutAfter,
    CutMidBody,
    partial(AnswerAfter, status=504),
    partial(Refuse, code="ErrorInternalServerError", status=500),
    partial(Refuse, code="ErrorItemNotFound"),
]


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("make", BREAKS)
async def test_whatever_breaks_at_any_step_it_arrives_whole_and_once(
    cloud: Sandbox, tmp_path: Path, make: Callable[..., Fault], step: int
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(make(part="graph", every=step, times=1))
        await accept(delivery, plan=MIME)
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize(
    ("make", "habit"),
    [(Stall, "kept"), (partial(Delay, seconds=60), "kept"), (Stall, "left-out")],
)
async def test_a_relay_that_dies_at_any_step_goes_on_there_in_its_next_life(
    cloud: Sandbox,
    tmp_path: Path,
    struck: asyncio.Event,
    make: Callable[..., Fault],
    step: int,
    habit: Literal["kept", "left-out"],
) -> None:
    cloud.mailboxes.settings.mime_draft_files = habit
    clock = FakeClock(cloud.now())
    async with large(cloud, tmp_path, clock=clock) as first:
        cloud.faults.on(make(part="graph", every=step, times=1))
        await accept(first, plan=MIME)
        async with asyncio.timeout(10):
            await struck.wait()
    cloud.faults.clear()
    async with large(cloud, tmp_path, clock=clock) as second:
        await until_relayed(second)
        whole(second)
        assert drafts(second) == 0
