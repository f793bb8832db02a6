"""The envelope alone decides who receives, all the way from acceptance to the request to Graph.

For random envelopes, headers and limits: the people to whom Graph would send, over all submissions
together, are the envelope's, and each address is in one submission only.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.journal import Journal
from graphrelay.model import Address, Envelope, Reply, Submission
from graphrelay.relay.accept import router
from graphrelay.relay.accept.reception import MailReception
from graphrelay.relay.accept.router import Route
from tests.clock import FakeClock
from tests.relay.accept.test_reception import Queue
from tests.relay.accept.test_router import TENANT, WEBSITE
from tests.relay.mail import ORIGIN, addresses
from tests.relay.outgoing.test_destination import ENVELOPES, HEADS
from tests.relay.test_one_reading import READERS, RECIPIENTS, sent
from tests.spool.mail import waiting_in
from tests.spool.memory import MemorySpool

INSIDE = Route(name="inside", account="website", recipient=("*@*.example",))
REST = Route(name="rest", account="tenant", mailbox="wp@contoso.com")


@given(HEADS, ENVELOPES, st.binary(max_size=20), st.integers(1, 4))
def test_graph_sends_to_the_envelope_each_in_one_submission(
    head: bytes, envelope: list[str], body: bytes, most: int
) -> None:
    submissions = accepted(head + b"\r\n" + body, envelope, most)
    wanted = sorted({Address.parse(one).key for one in envelope})
    outgoing = [sent(one) for one in submissions]
    for read in READERS:
        people = [sorted(map(str.casefold, read(octets, *RECIPIENTS))) for octets in outgoing]
        assert all(1 <= len(found) <= most for found in people)
        assert sorted(Address.parse(one).key for found in people for one in found) == wanted


def accepted(octets: bytes, envelope: list[str], most: int) -> list[Submission]:
    async def take() -> list[Submission]:
        clock = FakeClock()
        spool = MemorySpool(clock, Journal(clock))
        reception = MailReception(
            spool=spool,
            queue=Queue(),
            table=router.table([INSIDE, REST], [WEBSITE, TENANT], max_recipients=most),
            journal=Journal(clock),
            clock=clock,
            hostname="relay.example",
            max_message_size=35_000_000,
        )
        body = reception.incoming()
        await body.write(octets)
        path = Address.parse("wp@contoso.com")
        answer = await reception.accept(Envelope(path, addresses(*envelope)), ORIGIN, body)
        assert not isinstance(answer, Reply), answer
        return [await spool.load(number) for number in await waiting_in(spool)]

    return asyncio.run(take())
