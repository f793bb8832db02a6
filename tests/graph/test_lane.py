"""A lane's connections: its own, and how they end."""

import asyncio

from graphrelay.graph.session import MailboxSession, Mime
from graphrelay.model import Lane, Outcome, Relayed
from tests.graph.scripted import LANE, Octets, Wire, answers, http, scripted, session_of


async def send(session: MailboxSession) -> Outcome:
    return await session.send(Mime(Octets(b"Subject: Hello\r\n\r\nHello\r\n")))


async def test_each_lane_has_connections_of_its_own() -> None:
    async with scripted(answers(http(202))) as server:
        graph = server.graph()
        for mailbox in ("a@contoso.com", "b@contoso.com"):
            await send(await session_of(graph, Lane("website", mailbox)))
            await send(await session_of(graph, Lane("website", mailbox)))
    assert server.connections == 2


async def test_a_lane_that_is_closed_finishes_what_is_in_flight() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def answer_late(wire: Wire) -> None:
        await wire.request()
        arrived.set()
        await go_on.wait()
        await wire.say(http(202))
        await wire.reader.read()

    async with scripted(answer_late) as server:
        graph = server.graph()
        sending = asyncio.create_task(send(await session_of(graph)))
        await arrived.wait()
        graph.close_lane(LANE)
        go_on.set()
        assert isinstance(await sending, Relayed)
        await server.done.wait()  # the server has seen the end of the connection


async def test_a_closed_lane_may_be_asked_for_again() -> None:
    async with scripted(answers(http(202))) as server:
        graph = server.graph()
        await send(await session_of(graph))
        graph.close_lane(LANE)
        graph.close_lane(LANE)
        assert isinstance(await send(await session_of(graph)), Relayed)
    assert server.connections == 2


async def test_what_was_spent_is_counted_once_with_base64_as_it_goes_out() -> None:
    async with scripted(answers(http(202))) as server:
        session = await server.session()
        await send(session)
        await send(session)
        assert session.take_spent() == (2, 2 * 36)
        assert session.take_spent() == (0, 0)


async def test_a_request_for_which_there_was_no_connection_costs_nothing() -> None:
    async with scripted(answers(http(202))) as server:
        session = await session_of(server.graph(host="no-such-host.invalid"))
        await send(session)
        assert session.take_spent() == (0, 0)
