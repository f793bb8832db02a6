"""Mail for the tests of the spool."""

from datetime import UTC, datetime

from graphrelay.model import (
    Address,
    Answer,
    Attempt,
    Delayed,
    Envelope,
    Lane,
    NewMessage,
    Origin,
    Outcome,
    Plan,
    QueueEntry,
    Relayed,
    Submission,
)
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.values import Refusal

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEBSITE = Lane("website", "wp@contoso.com")
ORIGIN = Origin(listener="127.0.0.1:2525", client="127.0.0.1", helo="web")
ANNA = Address("anna", "example.org")
WP = Address("wp", "contoso.com")
BERT = Address("Bert", "example.org")
REFUSED = Refusal(
    since=NOON,
    at=NOON,
    times=1,
    client="192.0.2.7",
    listener="127.0.0.1:2525",
    stage="RCPT",
    reply="550 5.1.2 no route",
    reason="why",
    login="scanner",
    sender="Scanner@contoso.com",
    recipient="anna@Example.org",
)


def plan(lane: Lane = WEBSITE, route: str = "default") -> Plan:
    return Plan(route=route, lane=lane)


def a_message(
    *parts: tuple[Plan, tuple[Address, ...]],
    sender: Address | None = WP,
    received_at: datetime = NOON,
    subject: str = "Order 4711",
    prefix: bytes = b"",
    origin: Origin = ORIGIN,
) -> NewMessage:
    """One part, to Anna by default."""
    parts = parts or ((plan(), (ANNA,)),)
    return NewMessage(
        envelope=Envelope(sender, tuple(path for _, paths in parts for path in paths)),
        origin=origin,
        received_at=received_at,
        message_id="<1@contoso.com>",
        subject=subject,
        prefix=prefix,
        parts=parts,
    )


async def put(
    spool: Spool, octets: bytes = b"Hello\r\n", message: NewMessage | None = None
) -> tuple[Submission, ...]:
    body = spool.incoming()
    for start in range(0, len(octets), 50_000):
        await body.write(octets[start : start + 50_000])
    return await spool.accept(message or a_message(), body)


async def waiting_in(spool: Spool) -> list[int]:
    """What is queued and not in flight, due or not, in the order of acceptance."""
    rows = await spool.read(QueueFilter(state="queued", limit=1_000_000))
    return [row.submission_id for row in rows if row.in_flight_since is None]


def entry(submission: Submission) -> QueueEntry:
    """As the queue has it."""
    return QueueEntry.of(submission)


def attempt(outcome: Outcome, number: int = 1, at: datetime = NOON) -> Attempt:
    return Attempt(number=number, started_at=at, finished_at=at, outcome=outcome)


def relayed(number: int = 1) -> Attempt:
    return attempt(Relayed(answer=Answer(http_status=202, request_id="r")), number)


def delayed(number: int = 1, reason: str = "busy") -> Attempt:
    return attempt(Delayed(status="4.7.0", reason=reason), number)
