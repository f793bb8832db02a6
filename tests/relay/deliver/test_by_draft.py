"""Messages that are assembled in Drafts: whatever fails, and at whatever step, they arrive complete
and once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from graphrelay.graph import attachments
from graphrelay.model import Attempt, Delayed, Plan, Queued
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import (
    Answer,
    AnswerAfter,
    CutAfter,
    CutBefore,
    Delay,
    Fault,
    Stall,
)
from graphrelay.sandbox.graph.call import Call
from graphrelay.sandbox.graph.faults import (
    CutMidBody,
    Refuse,
    UploadAddress,
    UploadExpired,
)
from graphrelay.sandbox.graph.uploads import Uploads, UploadSession
from graphrelay.sandbox.mailbox_items import Draft, Folder
from graphrelay.sandbox.mime_compose import Composition
from graphrelay.spool.queries import LeftDrafts, QueueFilter
from tests.clock import FakeClock
from tests.e2e.large import letter, part
from tests.relay.cloud import WP, delivering
from tests.relay.deliver.large import (
    MINUTE,
    UPLOAD,
    USERS,
    accept,
    drafts,
    large,
    until_relayed,
    whole,
)

STEPS = 9
"""Requests that such a letter takes: draft, a file, session, three pieces, a file, count, send."""


@pytest.fixture
def cloud(small_limits: Sandbox) -> Sandbox:
    return small_limits


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The range of every piece that arrived complete."""
    taken: list[str] = []
    piece = Uploads.piece

    async def noted(self: Uploads, call: Call, session: UploadSession) -> object:
        answer = await piece(self, call, session)
        taken.append(call.request.headers["Content-Range"])
        return answer

    monkeypatch.setattr(Uploads, "piece", noted)
    return taken


async def test_a_large_message_takes_as_few_requests_as_it_can(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    async with large(cloud, tmp_path) as delivery:
        await accept(delivery)
        await until_relayed(delivery)
        assert whole(delivery).via == "draft"
        assert delivery.told() == ["attempt", "relayed"]
        assert pieces == [
            "bytes 0-99999/250000",
            "bytes 100000-199999/250000",
            "bytes 200000-249999/250000",
        ]
        assert drafts(delivery) == 0
        assert await delivery.spool.read(LeftDrafts()) == []


BREAKS: list[Callable[..., Fault]] = [
    CutBefore,
    CutAfter,
    CutMidBody,
    partial(AnswerAfter, status=504),
    partial(Answer, status=503),
    partial(Refuse, code="TooManyRequests", retry_after="1"),
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
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("make", [Stall, partial(Delay, seconds=60)])
async def test_a_relay_that_dies_at_any_step_goes_on_there_in_its_next_life(
    cloud: Sandbox,
    tmp_path: Path,
    struck: asyncio.Event,
    make: Callable[..., Fault],
    step: int,
) -> None:
    clock = FakeClock(cloud.now())
    async with large(cloud, tmp_path, clock=clock) as first:
        cloud.faults.on(make(part="graph", every=step, times=1))
        await accept(first)
        async with asyncio.timeout(10):
            await struck.wait()
    cloud.faults.clear()
    async with large(cloud, tmp_path, clock=clock) as second:
        await until_relayed(second)
        whole(second)
        assert drafts(second) == 0


async def test_an_upload_goes_on_at_the_piece_where_it_broke(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(CutMidBody(path=UPLOAD, every=2, times=1, octets=50_000))
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
    assert [piece.split()[1].split("-")[0] for piece in pieces] == ["0", "100000", "200000"]


async def test_an_attachment_whose_last_answer_was_lost_is_not_uploaded_again(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(CutAfter(path=UPLOAD, every=3, times=1))
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
    assert len(pieces) == 3


async def test_so_it_does_in_another_process(
    cloud: Sandbox, tmp_path: Path, pieces: list[str], struck: asyncio.Event
) -> None:
    clock = FakeClock(cloud.now())
    async with large(cloud, tmp_path, clock=clock) as first:
        cloud.faults.on(Stall(path=UPLOAD, every=3))
        await accept(first)
        async with asyncio.timeout(10):
            await struck.wait()
    cloud.faults.clear()
    async with large(cloud, tmp_path, clock=clock) as second:
        await until_relayed(second)
        whole(second)
    assert [piece.split()[1].split("-")[0] for piece in pieces] == ["0", "100000", "200000"]


async def test_a_session_that_has_expired_begins_anew_and_the_attachment_is_there_once(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(UploadExpired(every=3, times=1))
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
        assert delivery.told() == ["attempt", "relayed"]
    assert len(pieces) == 5


async def test_an_attachment_that_is_there_without_a_word_of_it_is_not_uploaded_again(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[str]
) -> None:
    put = attachments.put

    async def silent(lane: Any, url: str, start: int, size: int, piece: Any) -> Any:
        """200 where 201 is documented."""
        found = await put(lane, url, start, size, piece)
        return attachments.NextPiece(size) if isinstance(found, attachments.Attached) else found

    async with large(cloud, tmp_path) as delivery:
        monkeypatch.setattr(attachments, "put", silent)
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
    assert len(pieces) == 3


@pytest.mark.parametrize(("step", "event"), [(4, "delayed"), (8, "delayed"), (9, "uncertain")])
async def test_a_relay_that_died_says_whether_it_may_have_been_sent(
    cloud: Sandbox, tmp_path: Path, struck: asyncio.Event, step: int, event: str
) -> None:
    clock = FakeClock(cloud.now())
    async with large(cloud, tmp_path, clock=clock) as first:
        cloud.faults.on(Stall(part="graph", every=step))
        await accept(first)
        async with asyncio.timeout(10):
            await struck.wait()
    cloud.faults.clear()
    async with large(cloud, tmp_path, clock=clock) as second:
        assert second.told() == [event]
        await until_relayed(second)
        whole(second)


async def test_sessions_that_always_break_are_not_opened_for_ever(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(UploadExpired(every=2))
        await accept(delivery)
        await delivery.ended(1)
        [delayed] = [entry for entry in delivery.entries if entry.event == "delayed"]
        assert "'b.pdf' was interrupted 3 times" in str(delayed.fields["reason"])


def created(cloud: Sandbox) -> int:
    """How many drafts Graph made."""
    return sum(
        (one.method, one.status) == ("POST", 201) and one.path.endswith("/messages")
        for one in cloud.requests
    )


@pytest.mark.parametrize("looks", [1, 2, 3])
async def test_a_fresh_draft_that_is_not_found_yet_is_looked_at_again(
    cloud: Sandbox, tmp_path: Path, looks: int
) -> None:
    """Exchange is eventually consistent: 404 ErrorItemNotFound is not the end of a draft."""
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Refuse(code="ErrorItemNotFound", path=f"{USERS}/messages/", times=looks))
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0
        assert delivery.told("failed") == []
        assert created(cloud) <= 2


async def test_a_fresh_draft_that_is_never_found_is_begun_anew_after_another_look(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Refuse(code="ErrorItemNotFound", path=f"{USERS}/messages/", times=1))
        await accept(delivery)
        await delivery.ended(1)
        user = cloud.directory.user(WP.mailbox)
        assert user is not None
        (lost,) = cloud.mailboxes.drafts(user)
        cloud.mailboxes.box(user).remove(lost)
        await until_relayed(delivery)
        whole(delivery)
        assert created(cloud) == 2
        assert drafts(delivery) == 0
        assert delivery.told("failed") == []


async def test_a_draft_that_somebody_has_changed_is_made_anew(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Answer(path=UPLOAD, status=503, times=1))
        await accept(delivery)
        await delivery.ended(1)
        user = cloud.directory.user(WP.mailbox)
        assert user is not None
        [item] = cloud.mailboxes.drafts(user)
        assert isinstance(item.content, Draft)
        assert isinstance(item.content.content, Composition)
        emptied = replace(item.content.content, attachments=())
        changed = Draft(content=emptied, message_id=item.content.message_id)
        cloud.mailboxes.replace_draft(user, item, changed)
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0


async def test_nothing_is_sent_of_which_an_attachment_is_missing(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = attachments.put

    async def careless(*given: Any) -> Any:
        """Graph says that the attachment is there, and it is not."""
        found = await put(*given)
        return attachments.Attached() if isinstance(found, attachments.NextPiece) else found

    async with large(cloud, tmp_path) as delivery:
        monkeypatch.setattr(attachments, "put", careless)
        await accept(delivery)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "delayed"]
        assert delivery.submitted == []
        monkeypatch.undo()
        await until_relayed(delivery)
        whole(delivery)


async def test_an_attachment_that_shows_late_costs_no_draft(
    cloud: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[str]
) -> None:
    count, seen = attachments.count, 0

    async def late(*given: Any, **more: Any) -> Any:
        nonlocal seen
        seen += 1
        found = await count(*given, **more)
        return found - 1 if seen == 1 and isinstance(found, int) else found

    async with large(cloud, tmp_path) as delivery:
        monkeypatch.setattr(attachments, "count", late)
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
        assert len(pieces) == 3


# The documents do not say where the limits are ---------------------------------------------------


async def test_what_is_too_small_for_an_upload_goes_in_one_request_after_all(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.attachment_minimum = 90_000
    cloud.mailboxes.settings.request_limit = 130_000
    async with large(cloud, tmp_path) as delivery:
        sizes = {"a.pdf": 85_000, "b.pdf": 1_000}
        await accept(delivery, sizes)
        await until_relayed(delivery)
        whole(delivery, sizes)
        assert delivery.told() == ["attempt", "relayed"]


async def test_what_is_too_large_for_one_request_is_uploaded_after_all(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.request_limit = 90_000
    async with large(cloud, tmp_path) as delivery:
        sizes = {"a.pdf": 70_000, "b.pdf": 30_000}
        await accept(delivery, sizes)
        await until_relayed(delivery)
        whole(delivery, sizes)


async def test_an_attachment_that_goes_neither_way_is_reported_by_name(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.attachment_minimum = 90_000
    async with large(cloud, tmp_path) as delivery:
        await accept(delivery, {"a.pdf": 85_000, "b.pdf": 1_000})
        await delivery.ended(1)
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert "the attachment 'a.pdf'" in str(failed.fields["reason"])
        assert drafts(delivery) == 0


async def test_a_text_too_long_for_the_draft_is_attached(cloud: Sandbox, tmp_path: Path) -> None:
    async with large(cloud, tmp_path) as delivery:
        await delivery.accept(1, body=b"x" * 300_000)
        await until_relayed(delivery)
        (mail,) = delivery.submitted
        assert [len(one.content) for one in mail.content.attachments] == [300_000]
        assert mail.content.text.strip() == ""


# What the account may do --------------------------------------------------------------------------


async def test_an_account_that_may_make_no_drafts_goes_on_with_small_mail(
    cloud: Sandbox, tmp_path: Path
) -> None:
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.roles = {"Mail.Send"}
    async with large(cloud, tmp_path) as delivery:
        await accept(delivery)
        await delivery.ended(1)
        [delayed] = [entry for entry in delivery.entries if entry.event == "delayed"]
        assert "Mail.ReadWrite" in str(delayed.fields["reason"])
        await delivery.accept(2)
        await until_relayed(delivery)
        app.roles = {"Mail.Send", "Mail.ReadWrite"}


async def test_without_the_setting_a_large_message_fails_with_the_reason(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path, options=AccountOptions()) as delivery:
        await accept(delivery)
        await delivery.ended(1)
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert failed.fields["status"] == "5.3.4"
        assert "large_messages" in str(failed.fields["reason"])


async def test_what_is_signed_and_too_large_fails_with_the_reason(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        signed = letter(part("a.pdf", 200_000), kind="signed").partition(b"\r\n\r\n")[2]
        header = 'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary="b"\r\n'
        await delivery.accept(1, header=header, body=signed)
        await delivery.ended(1)
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert failed.fields["status"] == "5.6.3"
        assert "signed" in str(failed.fields["reason"])
        assert delivery.submitted == []
        assert drafts(delivery) == 0


async def test_a_draft_goes_on_although_the_settings_have_changed(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    clock = FakeClock(cloud.now())
    async with large(cloud, tmp_path, clock=clock) as first:
        cloud.faults.on(Answer(path=UPLOAD, status=503, times=1))
        await accept(first)
        await first.ended(1)
    cloud.mailboxes.settings.request_limit = 1_000_000
    async with large(cloud, tmp_path, clock=clock, largest_request=1_000_000) as second:
        await until_relayed(second)
        assert whole(second).via == "draft"
        assert drafts(second) == 0


async def test_a_draft_that_fits_the_message_no_more_is_made_anew(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Answer(path=UPLOAD, status=503, times=1))
        await accept(delivery)
        await delivery.ended(1)
        [row] = await delivery.spool.read(QueueFilter())
        submission = await delivery.spool.load(row.submission_id)
        assert submission.draft is not None
        other = replace(submission.draft, attachments=7)
        await delivery.spool.begin(submission, delivery.clock.now(), "c")
        await delivery.spool.keep_draft(submission, other)
        waits = Delayed(status="4.3.2", reason="busy")
        attempt = Attempt(
            number=2,
            started_at=delivery.clock.now(),
            finished_at=delivery.clock.now(),
            outcome=waits,
        )
        await delivery.spool.finish(submission, attempt, Queued(delivery.clock.now()))
        await until_relayed(delivery)
        whole(delivery)
        assert drafts(delivery) == 0


@pytest.mark.parametrize("oversize", ["413", "400"])
@pytest.mark.parametrize("content", ["mime", "json"])
async def test_what_graph_finds_too_large_for_one_request_goes_by_draft_after_all(
    cloud: Sandbox,
    tmp_path: Path,
    oversize: Literal["413", "400"],
    content: Literal["mime", "json"],
) -> None:
    cloud.mailboxes.settings.oversize = oversize
    cloud.mailboxes.settings.mime_draft_files = "kept"
    async with large(cloud, tmp_path, largest_request=120_000) as delivery:
        plan = Plan(route="r", lane=WP, content=content)
        sizes = {"a.pdf": 20_000, "b.pdf": 58_000}
        cloud.mailboxes.settings.request_limit = 90_000
        await accept(delivery, sizes, plan)
        await until_relayed(delivery)
        assert whole(delivery, sizes).via == "draft"
        assert delivery.told() == ["attempt", "relayed"]


# Exactly once is the same mechanism ---------------------------------------------------------------


async def test_a_draft_that_could_not_be_sent_now_is_sent_later_and_not_made_again(
    cloud: Sandbox, tmp_path: Path
) -> None:
    options = AccountOptions(exact_once=True)
    async with delivering(cloud, tmp_path, options=options) as delivery:
        send = f"{USERS}/messages/"
        cloud.faults.on(Refuse(path=send, method="POST", code="ErrorServerBusy", times=1))
        await delivery.accept(1)
        await delivery.ended(1)
        assert drafts(delivery) == 1
        made = list(cloud.mailboxes.drafts(cloud.directory.user(WP.mailbox)))  # type: ignore[arg-type]
        await until_relayed(delivery)
        assert drafts(delivery) == 0
        user = cloud.directory.user(WP.mailbox)
        assert user is not None
        [sent] = cloud.mailboxes.box(user).items(Folder.SENT)
        assert sent.serial == made[0].serial


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("make", [Stall, partial(Delay, seconds=60)])
async def test_a_relay_that_dies_sends_exactly_once(
    cloud: Sandbox,
    tmp_path: Path,
    struck: asyncio.Event,
    make: Callable[..., Fault],
    step: int,
) -> None:
    clock, options = FakeClock(cloud.now()), AccountOptions(exact_once=True)
    async with delivering(cloud, tmp_path, options=options, clock=clock) as first:
        cloud.faults.on(make(part="graph", every=step, times=1))
        await first.accept(1)
        async with asyncio.timeout(10):
            await struck.wait()
    cloud.faults.clear()
    async with delivering(cloud, tmp_path, options=options, clock=clock) as second:
        await until_relayed(second)
        assert len(second.submitted) == 1
        assert drafts(second) == 0


UNUSABLE = [
    "http://localhost/x",
    "https://user@localhost/x",
    "https://localhost:99999/x",
    f"https://{'a' * 64}.example/x",
    "https://localhost/" + "x" * 200_000,
]


@pytest.mark.parametrize("address", UNUSABLE, ids=range(len(UNUSABLE)))
async def test_an_upload_address_that_cannot_be_used_is_not_stored(
    cloud: Sandbox, tmp_path: Path, address: str
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(UploadAddress(address=address, times=1))
        one = await accept(delivery)
        await delivery.ended(1)
        [delayed] = [entry for entry in delivery.entries if entry.event == "delayed"]
        assert "returned no URL that can be used" in str(delayed.fields["reason"])
        kept = (await delivery.spool.load(one.id)).draft
        assert kept is not None
        assert kept.upload_url == ""
        await until_relayed(delivery)
        whole(delivery)


@pytest.mark.parametrize("host", ["nowhere.invalid", "127.0.0.1:1"])
async def test_an_upload_address_that_leads_nowhere_is_given_up_after_two_attempts(
    cloud: Sandbox, tmp_path: Path, host: str
) -> None:
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(UploadAddress(address=f"https://{host}/x", times=1))
        one = await accept(delivery)
        await delivery.ended(1)
        kept = (await delivery.spool.load(one.id)).draft
        assert kept is not None
        assert host in kept.upload_url
        await until_relayed(delivery)
        assert delivery.told("delayed") == ["delayed", "delayed"]
        whole(delivery)


async def test_an_upload_session_that_has_expired_by_its_date_is_not_asked_again(
    cloud: Sandbox, tmp_path: Path, pieces: list[str]
) -> None:
    settings = cloud.mailboxes.settings
    cloud.mailboxes.settings = replace(settings, upload_lifetime=MINUTE / 3)
    async with large(cloud, tmp_path) as delivery:
        cloud.faults.on(Answer(path=UPLOAD, status=503, times=1, every=2))
        await accept(delivery)
        await until_relayed(delivery)
        whole(delivery)
        assert pieces.count("bytes 0-99999/250000") == 2
