"""The flood is the evidence for other tests, so its record of replies must be right."""

import asyncio
import re
from random import Random

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.e2e.flood import Flood


class Unreliable:
    """Keeps what it answers with 250; often it drops the connection, before or after that."""

    def __init__(self) -> None:
        self.dice = Random(9)
        self.kept: list[str] = []
        self.dropped_after_keeping: set[str] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        found = re.search(rb"^Message-ID: (\S+)", envelope.original_content or b"", re.MULTILINE)
        assert found
        message_id = found[1].decode()
        fate = self.dice.choice(["keep", "keep", "drop", "keep and drop", "refuse"])
        if fate.startswith("keep"):
            self.kept.append(message_id)
        if fate.endswith("drop"):
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if fate == "keep and drop":
            self.dropped_after_keeping.add(message_id)
        return "452 4.3.1 not now" if fate == "refuse" else "250 2.0.0 kept"


async def test_what_was_acknowledged_and_what_was_not_are_distinguished() -> None:
    loop = asyncio.get_running_loop()
    unreliable = Unreliable()
    server = await loop.create_server(lambda: SMTP(unreliable, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    flood = Flood("127.0.0.1", port, sender="a@b.example", recipient="c@d.example", mark="one")
    async with asyncio.timeout(60):
        await flood.send(100, connections=5)
    server.close()
    await server.wait_closed()
    told = flood.told
    assert len(told.acknowledged) == 100
    assert told.acknowledged == set(unreliable.kept) - unreliable.dropped_after_keeping
    assert unreliable.dropped_after_keeping <= told.unanswered
    assert told.refused
    assert len(unreliable.kept) == len(set(unreliable.kept))
