"""MAIL, RCPT, DATA and BDAT: what the reception gets, and the replies to the client."""

import pytest

from graphrelay.model import Address, Envelope, Reply, StorageAway, StorageUnavailable
from graphrelay.smtp.access.listener import Limits
from tests.smtp.reception import (
    ENVELOPE,
    QUEUED,
    Client,
    MemoryReception,
    begin_data,
    send_message,
    serving,
    until,
)


async def test_a_message_goes_through_with_envelope_and_origin() -> None:
    async with serving() as house, await house.greeted() as client:
        assert await send_message(client, "Subject: x", "", "..dot") == QUEUED
        (message,) = house.reception.received
        assert message.envelope == Envelope(Address("a", "b.example"), (Address("c", "d.example"),))
        assert message.octets == b"Subject: x\r\n\r\n.dot\r\n"
        assert message.origin.client == "127.0.0.1"
        assert message.origin.helo == "client.example"
        assert message.origin.listener == "127.0.0.1:0"
        assert message.origin.login is None
        assert message.origin.tls is None


async def test_storage_that_fails_inside_the_message_is_452_and_the_conversation_goes_on() -> None:
    reception = MemoryReception(trouble=StorageUnavailable("no space left on /dev/secret"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        reply = await send_message(client, "x" * 1000, "RSET")
        assert reply == "452 4.3.1 Mail cannot be stored now; try again later"
        reception.trouble = None
        assert await send_message(client, "x") == QUEUED
        assert "no space left" in str(house.events("smtp-trouble")[0].fields["reason"])
        assert reception.bodies[0].discarded


async def test_storage_on_a_server_that_is_away_is_451() -> None:
    reception = MemoryReception(trouble=StorageAway("connection refused"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        reply = await send_message(client, "x" * 1000)
        assert reply == "451 4.3.0 Mail cannot be stored now; try again later"


async def test_storage_that_fails_before_the_message_is_452() -> None:
    reception = MemoryReception(no_body=StorageUnavailable("read-only"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        client.say(*ENVELOPE, "DATA")
        assert [(await client.reply())[:9] for _ in range(3)][-1] == "452 4.3.1"
        assert await client.ask("RSET") == "250 2.0.0 Ok"
        client.say(*ENVELOPE, "BDAT 6 LAST", "QUIT")
        assert [(await client.reply())[:9] for _ in range(3)][-1] == "452 4.3.1"
        assert await client.ask("NOOP") == "250 2.0.0 Ok"


async def test_the_refusal_of_the_reception_is_passed_on_and_the_body_discarded() -> None:
    reception = MemoryReception(answer=Reply(550, "5.7.1", "Not\r\n250 2.0.0 in my häuse"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        assert await send_message(client, "x") == "550 5.7.1 Not 250 2.0.0 in my h?use"
        assert reception.bodies[0].discarded
        (entry,) = house.events("refused")
        assert entry.fields["stage"] == "DATA"


async def test_a_refused_sender_may_try_another_one() -> None:
    reception = MemoryReception(refused_senders={"a@b.example": Reply(550, "5.7.1", "No")})
    async with serving(reception=reception) as house, await house.greeted() as client:
        assert await client.ask(ENVELOPE[0]) == "550 5.7.1 No"
        assert await client.ask("MAIL FROM:<>") == "250 2.1.0 Sender ok"
        assert house.events("refused")[0].fields["sender"] == "a@b.example"


async def test_a_client_that_hangs_up_during_acceptance_stops_nothing() -> None:
    async with serving() as house:
        client = await house.greeted()
        await begin_data(client)
        house.reception.may_accept.clear()
        client.say("x", ".")
        await house.reception.accepting.wait()
        client.abort()
        await client.close()
        await until(lambda: not house.server._connections)
        house.reception.may_accept.set()
        await house.reception.has_received(1)
        assert not house.reception.bodies[0].discarded


async def test_a_client_that_closed_its_side_still_hears_what_became_of_its_message() -> None:
    async with serving() as house, await house.greeted() as client:
        await begin_data(client)
        house.reception.may_accept.clear()
        client.say("x", ".")
        client.writer.write_eof()
        await house.reception.accepting.wait()
        await until(lambda: house.conversation.buffer._ended)
        house.reception.may_accept.set()
        assert await client.reply() == QUEUED
        assert await client.is_closed()


async def test_a_client_that_hangs_up_inside_the_message_leaves_nothing() -> None:
    async with serving() as house:
        for hang_up in (Client.abort, lambda client: client.writer.write_eof()):
            client = await house.greeted()
            await begin_data(client)
            client.say("half a message")
            await client.writer.drain()
            hang_up(client)
            await client.is_closed()
            await client.close()
        await house.server.stop()
        assert house.reception.received == []
        assert [body.discarded > 0 for body in house.reception.bodies] == [True, True]


async def test_chunks_of_a_client_that_goes_away_are_discarded() -> None:
    async with serving() as house:
        client = await house.greeted()
        client.say(*ENVELOPE, "BDAT 5")
        client.send(b"12345")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250"] * 3
        await client.close()
        await house.server.stop()
        assert house.reception.bodies[0].discarded


@pytest.mark.parametrize("octets", [0, 1, 511])
async def test_chunks_with_next_to_nothing_in_them_are_small_talk(octets: int) -> None:
    async with serving() as house, await house.greeted() as client:
        client.say(*ENVELOPE)
        client.send((b"BDAT %d\r\n" % octets + b"x" * octets) * 250)
        assert [(await client.reply())[:3] for _ in range(len(ENVELOPE))] == ["250"] * len(ENVELOPE)
        heard = [await client.reply() for _ in range(200)]
        assert heard[-1] == "421 4.7.0 Too many commands without a message; closing"
        assert await client.is_closed()
        await until(lambda: house.reception.bodies[0].discarded)


async def test_a_message_may_come_in_any_number_of_real_chunks() -> None:
    async with serving() as house, await house.greeted() as client:
        client.say(*ENVELOPE)
        client.send((b"BDAT 512\r\n" + b"x" * 510 + b"\r\n") * 250 + b"BDAT 0 LAST\r\n")
        replies = [await client.reply() for _ in range(len(ENVELOPE) + 251)]
        assert replies[-1] == QUEUED
        assert len(house.reception.received[0].octets) == 250 * 512


async def test_a_client_over_the_recipient_limit_gets_452_and_the_others_receive() -> None:
    async with serving(limits=Limits(max_recipients=2)) as house:
        async with await house.greeted() as client:
            client.say("MAIL FROM:<a@b.example>")
            client.say(*(f"RCPT TO:<r{i}@d.example>" for i in range(10_000)))
            assert (await client.reply()).startswith("250")
            codes = [(await client.reply())[:9] for _ in range(3)]
            assert codes == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]
            heard = [await client.reply()]
            while not heard[-1].startswith("421"):
                heard.append(await client.reply())
            assert heard[-1] == "421 4.7.0 Too many errors; closing"
            assert len(heard) < 1_100
        assert len(house.events("refused")) < 30
