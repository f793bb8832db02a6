"""The promises of the spool as its callers see them."""

from datetime import timedelta
from pathlib import Path

from graphrelay.journal import Journal
from graphrelay.model import (
    Answer,
    Attempt,
    Delayed,
    Done,
    FiledBody,
    InlineBody,
    Queued,
    Relayed,
    Submission,
)
from graphrelay.spool import Spool
from tests.clock import FakeClock
from tests.spool.mail import ANNA, BERT, NOON, WEBSITE, message, plan

LARGE = bytes(range(256)) * 4096


async def put(spool: Spool, octets: bytes = b"Hello\r\n") -> Submission:
    body = spool.incoming()
    await body.write(octets)
    (submission,) = await spool.put(message(), body)
    return submission


def relayed(number: int = 1) -> Attempt:
    return Attempt(
        number=number,
        started_at=NOON,
        finished_at=NOON,
        outcome=Relayed(answer=Answer(http_status=202, request_id="r")),
    )


async def test_what_was_put_is_loaded_the_same(spool: Spool) -> None:
    submission = await put(spool)

    assert await spool.load(submission.id) == submission
    assert submission.body == InlineBody(b"Hello\r\n")


async def test_a_large_body_is_a_file_with_the_same_octets(spool: Spool) -> None:
    submission = await put(spool, LARGE)

    assert isinstance(submission.body, FiledBody)
    assert submission.body.path.read_bytes() == LARGE
    assert submission.body.path.stat().st_mode & 0o777 == 0o600
    assert await spool.load(submission.id) == submission


async def test_mail_is_there_again_after_a_restart(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        small, large = await put(spool), await put(spool, LARGE)
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        waiting = await spool.waiting()
        assert [w.submission_id for w in waiting] == [small.id, large.id]
        assert waiting[0].lane == WEBSITE
        assert await spool.load(small.id) == small
        assert await spool.load(large.id) == large


async def test_a_relayed_message_leaves_its_log_and_no_octets(spool: Spool, tmp_path: Path) -> None:
    submission = await put(spool, LARGE)
    number = await spool.begin_attempt(submission.id, NOON, "c")
    await spool.finish_attempt(submission.id, relayed(number), Done("relayed"))

    assert await spool.waiting() == []
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []
    (row,) = await spool.log()
    assert (row.what, row.queue_id, row.recipients) == ("relayed", submission.queue_id, (ANNA,))
    shown = await spool.show(submission.queue_id.lower())
    assert shown is not None
    assert not shown.octets_kept
    assert shown.parts[0].history == (relayed(number),)


async def test_the_octets_stay_until_the_last_part_is_done(spool: Spool) -> None:
    body = spool.incoming()
    await body.write(LARGE)
    first, second = await spool.put(message((plan(), (ANNA,)), (plan(), (BERT,))), body)
    assert second.queue_id == first.queue_id + "/2"

    await spool.begin_attempt(first.id, NOON, "c")
    await spool.finish_attempt(first.id, relayed(), Done("relayed"))

    assert await spool.load(second.id) == second
    await spool.begin_attempt(second.id, NOON, "c")
    await spool.finish_attempt(second.id, relayed(), Done("relayed"))
    shown = await spool.show(first.queue_id)
    assert shown is not None
    assert not shown.octets_kept


async def test_a_delayed_message_waits_until_its_time(spool: Spool) -> None:
    submission = await put(spool)
    later = NOON + timedelta(minutes=5)
    number = await spool.begin_attempt(submission.id, NOON, "c")
    delayed = Attempt(
        number=number,
        started_at=NOON,
        finished_at=NOON,
        outcome=Delayed(status="4.7.0", reason="busy", retry_after=timedelta(seconds=1.5)),
    )
    await spool.finish_attempt(submission.id, delayed, Queued(later))

    (waiting,) = await spool.waiting()
    assert waiting.not_before == later
    assert (await spool.load(submission.id)).attempts == 1
    (row,) = await spool.queue()
    assert (row.last, row.attempts) == ("busy", 1)
    assert (await spool.log())[0].outcome == delayed.outcome


async def test_an_attempt_begun_and_never_finished_is_found_at_start(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        submission = await put(spool)
        await spool.begin_attempt(submission.id, NOON, "client-1")
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (attempt,) = await spool.interrupted()
        assert await spool.waiting() == []
        assert (attempt.submission_id, attempt.number, attempt.client_request_id) == (
            submission.id,
            1,
            "client-1",
        )
