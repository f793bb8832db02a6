"""A message being received into a body: what is not kept takes neither memory nor disk space."""

from tests.smtp.reception import QUEUED, MemoryReception, begin_data, send_message, serving, until


async def test_a_stream_without_line_ends_over_the_limit_is_neither_kept_nor_buffered() -> None:
    reception = MemoryReception(limit=100_000)
    async with serving(reception=reception) as house, await house.greeted() as client:
        await begin_data(client)
        conversation = house.conversation
        for _ in range(200):
            client.send(b"x" * 65_536)
            await client.writer.drain()
            assert len(conversation.buffer._buffer) <= 3 * 65_536
        assert (await client.ask("", ".")).startswith("552 5.3.4")
        assert reception.bodies[0].discarded
        assert reception.bodies[0].size == 0


async def test_a_slow_disk_stops_the_reading_and_nobody_else() -> None:
    async with serving() as house, await house.greeted() as big, await house.greeted() as small:
        await begin_data(big)
        body = house.reception.bodies[0]
        body.may_write.clear()
        (conversation,) = (c for c in house.server._connections if c.buffer.stage == "the message")
        message = b"x" * 5_000_000 + b"\r\n"
        big.send(message)
        await until(lambda: conversation.buffer._paused)
        assert await send_message(small, "quick") == QUEUED
        assert len(conversation.buffer._buffer) <= 3 * 65_536
        body.may_write.set()
        assert await big.ask(".") == "250 2.0.0 Ok: queued as Q2"
        assert house.reception.received[1].octets == message
        assert body.largest <= 3 * 65_536
