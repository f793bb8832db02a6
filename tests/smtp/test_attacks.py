"""What an attacker does in bulk: thousands of connections that send nothing."""

import resource
import socket
from contextlib import ExitStack

import pytest

from graphrelay.smtp.access.listener import Limits
from tests.smtp.reception import serving, until

IDLE = 2_000
INSIDE = 100


@pytest.fixture
def many_files() -> None:
    """Both ends of each connection are ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * IDLE:
        pytest.skip(f"at most {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * IDLE), hard))


async def test_two_thousand_idle_connections_hold_up_nobody(many_files: None) -> None:
    limits = Limits(max_connections=INSIDE, max_connections_per_client=IDLE)
    async with serving(limits=limits) as house, await house.greeted() as early:
        with ExitStack() as idlers:
            for _ in range(IDLE):
                idler = idlers.enter_context(socket.socket())
                idler.setblocking(False)
                idler.connect_ex(("127.0.0.1", house.port))
            await until(lambda: len(house.server._tasks) <= INSIDE and house.events("refused"))
            assert await early.ask("NOOP") == "250 2.0.0 Ok"
            async with await house.connect() as late:
                assert (await late.reply()).startswith("421 4.3.2 Too many connections")
            assert len(house.events("refused")) == 1
        await until(lambda: len(house.server._connections) == 1)
        async with await house.greeted() as after:
            assert await after.ask("NOOP") == "250 2.0.0 Ok"
