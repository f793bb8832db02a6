"""Messages that are put together in Drafts before they are sent, and drafts that are left there."""

# ruff: noqa: S608 (our own words; values are bound)

from graphrelay.model import DraftProgress, Lane, Submission
from graphrelay.spool.codec import DRAFT
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import NOW
from graphrelay.spool.postgres.text import restored, storable
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.values import LeftBehind

# Each step is followed by a request, which counts from then on.
_KEEP = f"""WITH under_way AS (
        UPDATE in_flight SET begun_at = {NOW} WHERE submission = %s AND EXISTS
            (SELECT FROM lanes WHERE account = %s AND mailbox = %s AND owner = %s AND term = %s
             FOR SHARE)
        RETURNING submission
    )
    INSERT INTO drafts (submission, draft, sending, progress)
    SELECT submission, %s, %s, %s FROM under_way
    ON CONFLICT (submission) DO UPDATE SET
        draft = excluded.draft, sending = excluded.sending, progress = excluded.progress"""
_LEAVE = """WITH left_one AS (
        DELETE FROM drafts WHERE submission = %s AND draft <> %s RETURNING submission, draft
    )
    INSERT INTO left_drafts (draft, submission, account, mailbox)
    SELECT l.draft, s.id, s.account, s.mailbox FROM left_one l
    JOIN submissions s ON s.id = l.submission
    ON CONFLICT DO NOTHING"""
_LEFT_BEHIND = """SELECT s.id, m.queue_id, s.part, d.account, d.mailbox, d.draft
    FROM (SELECT d.submission, s.account, s.mailbox, d.draft
          FROM drafts d JOIN submissions s ON s.id = d.submission WHERE s.done_at IS NOT NULL
          UNION ALL SELECT submission, account, mailbox, draft FROM left_drafts
          WHERE submission NOT IN (SELECT submission FROM in_flight)) d
    JOIN submissions s ON s.id = d.submission
    JOIN messages m ON m.id = s.message
    LEFT JOIN lanes l ON l.account = d.account AND l.mailbox = d.mailbox
    WHERE l.owner IS NULL OR l.owner = %s
    ORDER BY s.id, d.draft"""


async def keep(
    connection: Connection, submission: Submission, term: int, relay: str, progress: DraftProgress
) -> None:
    """How far a draft got, as long as the attempt is under way. Another one in whose place it was
    begun is left to be taken away. Raises `NotQueued`."""
    lane = submission.plan.lane
    await leave(connection, submission.id, unless=progress.id)
    await connection.execute("DELETE FROM left_drafts WHERE draft = %s", (progress.id,))
    kept = await connection.execute(
        _KEEP,
        (
            submission.id,
            storable(lane.account),
            storable(lane.mailbox),
            relay,
            term,
            progress.id,
            progress.sending,
            DRAFT.text(progress),
        ),
    )
    if not kept.rowcount:
        raise NotQueued(f"No attempt at the submission {submission.id} is under way here.")


async def leave(connection: Connection, submission: int, unless: str = "") -> None:
    """Nothing will go on with the submission's draft; it is to be taken away."""
    await connection.execute(_LEAVE, (submission, unless))


async def left_behind(connection: Connection, relay: str) -> list[LeftBehind]:
    """Drafts of submissions that were given up, and those that their submissions left; but none
    while an attempt is under way, and none of another relay's lanes."""
    found = await connection.execute(_LEFT_BEHIND, (relay,))
    return [
        LeftBehind(
            submission_id=number,
            queue_id=part_id(queue_id, part),
            lane=Lane(restored(account), restored(mailbox)),
            draft=draft,
        )
        async for number, queue_id, part, account, mailbox, draft in found
    ]
