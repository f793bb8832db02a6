"""Mail for the tests of the spool."""

from datetime import UTC, datetime

from graphrelay.model import Address, Envelope, Lane, NewMessage, Origin, Plan

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEBSITE = Lane("website", "wp@contoso.com")
ORIGIN = Origin(listener="127.0.0.1:2525", client="127.0.0.1", helo="web")
ANNA = Address("anna", "example.org")
WP = Address("wp", "contoso.com")
BERT = Address("Bert", "example.org")


def plan(lane: Lane = WEBSITE, route: str = "default") -> Plan:
    return Plan(route=route, lane=lane)


def message(
    *parts: tuple[Plan, tuple[Address, ...]],
    sender: Address | None = WP,
    received_at: datetime = NOON,
    subject: str = "Order 4711",
    prefix: bytes = b"",
    origin: Origin = ORIGIN,
) -> NewMessage:
    """One part to Anna, unless told otherwise."""
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
