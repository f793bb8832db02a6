"""Which relays share the queue, and with which lanes."""

from graphrelay.journal import Journal
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.queries import Relays
from tests.clock import FakeClock
from tests.spool.postgres.relays import LANES, a_relay, mail_in_every_lane, settled


async def test_each_relay_is_listed_with_its_lanes(
    spool: PostgresSpool, database: str, clock: FakeClock, journal: Journal
) -> None:
    await mail_in_every_lane(spool)
    async with a_relay(database, clock, journal, "b") as other:
        await settled(spool, other)
        first, second = await other.read(Relays())
    assert (first.host, second.host) == ("a", "b")
    assert first.lanes + second.lanes == len(LANES)
    assert first.with_mail == first.lanes
    assert first.expires_in.total_seconds() > 0
    assert not first.leaving
    await settled(spool)
    (alone,) = await spool.read(Relays())
    assert (alone.host, alone.lanes) == ("a", len(LANES))
