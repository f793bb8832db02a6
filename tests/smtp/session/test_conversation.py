"""What a client hears when things go well, badly, slowly or too fast; what the reception gets."""

import asyncio
import contextlib
import itertools
import socket
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP

from graphrelay.model import Address, Envelope, Reply, StorageUnavailable
from graphrelay.smtp import Limits, Listener, Login
from graphrelay.smtp.connection import transcript
from graphrelay.smtp.connection.buffer import ConnectionBuffer
from graphrelay.smtp.session.conversation import COMMANDS
from tests.clock import FakeClock
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import Client, House, MemoryReception, serving, until

ENVELOPE = ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
TIMEOUTS = Limits(command_timeout=timedelta(minutes=5), data_timeout=timedelta(minutes=3))
QUEUED = "250 2.0.0 Ok: queued as Q1"


async def begin_data(client: Client) -> None:
    client.say(*ENVELOPE, "DATA")
    replies = [await client.reply() for _ in range(3)]
    assert replies[-1] == "354 End data with <CR><LF>.<CR><LF>", replies


async def send_message(client: Client, *lines: str) -> str:
    await begin_data(client)
    return await client.ask(*lines, ".")


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


async def test_pipelined_commands_are_answered_in_one_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as house, await house.greeted() as client:
        transport = house.conversation.buffer._transport
        write, written = transport.write, []

        def spy(octets: bytes) -> None:
            written.append(octets)
            write(octets)

        monkeypatch.setattr(transport, "write", spy)
        client.say(*ENVELOPE, "RCPT TO:<e@f.example>", "DATA")
        assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        assert len(written) == 1


async def test_every_reply_with_a_status_has_an_enhanced_one() -> None:
    async with serving() as house, await house.greeted() as client:
        commands = ["NOOP", "HELP", "VRFY x", "EXPN x", "RSET", "XYZZY", *ENVELOPE, "RSET", "QUIT"]
        for command in commands:
            reply = await client.ask(command)
            assert reply[4:9] == f"{reply[0]}.{reply[6]}.{reply[8]}", reply


async def test_a_command_that_aiosmtpd_has_and_the_table_has_not_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its next version may add commands, and none of its code is prepared to run here."""

    async def frob(self: SMTP, argument: str) -> None:
        raise AssertionError("this command is not the relay's")

    monkeypatch.setattr(SMTP, "smtp_FROB", frob, raising=False)
    async with serving() as house, await house.greeted() as client:
        assert (await client.ask("FROB")).startswith("500 5.5.1")
        offered = (await client.ask("HELP")).removeprefix("214 2.0.0 Commands: ").split()
    assert {*offered, "EXPN"} == {verb.decode() for verb in COMMANDS} == transcript.COMMANDS


# --- Trouble on our side --------------------------------------------------------------------------


async def test_storage_that_fails_inside_the_message_is_452_and_the_conversation_goes_on() -> None:
    reception = MemoryReception(trouble=StorageUnavailable("no space left on /dev/secret"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        reply = await send_message(client, "x" * 1000, "RSET")
        assert reply == "452 4.3.1 Mail cannot be stored now; try again later"
        reception.trouble = None
        assert await send_message(client, "x") == QUEUED
        assert "no space left" in str(house.events("smtp-trouble")[0].fields["reason"])
        assert reception.bodies[0].discarded


async def test_storage_that_fails_before_the_message_is_452() -> None:
    reception = MemoryReception(no_body=StorageUnavailable("read-only"))
    async with serving(reception=reception) as house, await house.greeted() as client:
        client.say(*ENVELOPE, "DATA")
        assert [(await client.reply())[:9] for _ in range(3)][-1] == "452 4.3.1"
        assert await client.ask("RSET") == "250 2.0.0 Ok"
        client.say(*ENVELOPE, "BDAT 6 LAST", "QUIT")
        assert [(await client.reply())[:9] for _ in range(3)][-1] == "452 4.3.1"
        assert await client.ask("NOOP") == "250 2.0.0 Ok"


@pytest.mark.parametrize("where", ["write", "accept", "sender"])
async def test_an_unexpected_exception_is_451_without_a_detail_and_an_error_in_the_journal(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug = ZeroDivisionError("secret detail")
    reception = MemoryReception()
    if where == "write":
        reception.trouble = bug
    elif where == "accept":
        reception.answer = bug
    async with serving(reception=reception) as house, await house.greeted() as client:
        if where == "sender":

            def broken(*_: object) -> None:
                raise bug

            with monkeypatch.context() as patch:
                patch.setattr(reception, "sender", broken)
                reply = await client.ask(ENVELOPE[0])
        else:
            reply = await send_message(client, "x")
        assert reply == "451 4.3.0 Something went wrong here; try again later"
        reception.trouble = reception.answer = None
        assert await send_message(client, "x") == QUEUED
        (entry,) = house.events("smtp-trouble")
        assert entry.level == "error"
        assert "secret detail" in str(entry.fields["reason"])


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


async def test_a_long_reply_is_folded_into_lines_that_a_client_can_take() -> None:
    reception = MemoryReception(answer=Reply(550, "5.7.1", "word " * 300))
    async with serving(reception=reception) as house, await house.greeted() as client:
        lines = (await send_message(client, "x")).split("|")
        assert len(lines) > 1
        assert all(line.startswith("550") and len(line) <= 510 for line in lines)


# --- The client is gone ---------------------------------------------------------------------------


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


# --- Too slow -------------------------------------------------------------------------------------


async def test_a_silent_client_is_sent_away_when_its_time_is_over() -> None:
    clock = FakeClock()
    async with serving(clock=clock, limits=TIMEOUTS) as house, await house.greeted() as client:
        await clock.advance(timedelta(minutes=4))
        assert await client.ask("NOOP") == "250 2.0.0 Ok"
        await clock.advance(timedelta(minutes=4))
        assert await client.ask("NOOP") == "250 2.0.0 Ok"
        await clock.advance(timedelta(minutes=5, seconds=2))
        assert await client.reply() == "421 4.4.2 Nothing heard for 300 s waiting for a command"
        assert await client.is_closed()


async def test_who_cannot_be_watched_keeps_nobody_else_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, check = FakeClock(), ConnectionBuffer.check_patience
    async with serving(clock=clock, limits=TIMEOUTS) as house:
        first = await house.greeted()
        unwatched = house.conversation.buffer

        def mistaken(buffer: ConnectionBuffer) -> None:
            if buffer is unwatched:
                raise ZeroDivisionError
            check(buffer)

        monkeypatch.setattr(ConnectionBuffer, "check_patience", mistaken)
        async with first, await house.greeted() as second:
            for _ in range(2):
                await clock.advance(timedelta(minutes=3))
            assert await second.reply() == "421 4.4.2 Nothing heard for 300 s waiting for a command"
            assert await first.ask("NOOP") == "250 2.0.0 Ok"
        assert house.events("smtp-not-watched")


async def drip(client: Client, house: House, number: int) -> None:
    """Send one octet, and see it arrive as the given one of this stage."""
    client.send(b"x")
    await until(lambda: house.conversation.buffer._received == number)


async def test_a_command_that_drips_in_is_cut_off_although_octets_come() -> None:
    clock = FakeClock()
    async with serving(clock=clock, limits=TIMEOUTS) as house, await house.greeted() as client:
        for number in range(5):
            await drip(client, house, number + 1)
            await clock.advance(timedelta(minutes=2, seconds=1))
        assert await client.reply() == "421 4.4.2 Too slow: a command takes too long to come"


async def test_a_message_may_take_longer_than_its_time_out_while_octets_come() -> None:
    clock = FakeClock()
    async with serving(clock=clock, limits=TIMEOUTS) as house, await house.greeted() as client:
        await begin_data(client)
        for _ in range(10):
            client.send(b"x" * 60_000 + b"\r\n")
            await house.reception.bodies[0].has_grown()
            await clock.advance(timedelta(minutes=2))
        assert await client.ask(".") == QUEUED


async def test_a_message_that_drips_in_is_cut_off() -> None:
    clock = FakeClock()
    async with serving(clock=clock, limits=TIMEOUTS) as house, await house.greeted() as client:
        await begin_data(client)
        for number in range(4):
            await drip(client, house, number + 1)
            await clock.advance(timedelta(minutes=1))
        assert await client.reply() == "421 4.4.2 Too slow: the message takes too long to come"
        assert await client.is_closed()
        assert house.reception.bodies[0].discarded


async def test_our_own_slowness_is_not_counted_against_the_client() -> None:
    clock = FakeClock()
    async with serving(clock=clock, limits=TIMEOUTS) as house, await house.greeted() as client:
        await begin_data(client)
        house.reception.may_accept.clear()
        client.say("x", ".")
        await house.reception.accepting.wait()
        await clock.advance(timedelta(hours=1))
        house.reception.may_accept.set()
        assert await client.reply() == QUEUED
        assert await client.ask("NOOP") == "250 2.0.0 Ok"


async def test_a_client_that_never_reads_is_dropped() -> None:
    clock = FakeClock()
    limits = Limits(command_timeout=timedelta(minutes=5), max_recipients=10**9)
    async with serving(clock=clock, limits=limits) as house:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", house.port))
            deaf.setblocking(False)
            await until(lambda: house.server._connections)
            buffer = house.conversation.buffer
            deaf.sendall(b"HELO x\r\nMAIL FROM:<a@b.example>\r\n")
            numbers = itertools.count()
            while not buffer._choked:
                talk = b"".join(b"RCPT TO:<%d@d.example>\r\n" % next(numbers) for _ in range(100))
                with contextlib.suppress(BlockingIOError):
                    deaf.send(talk)
                await asyncio.sleep(0)
            await clock.advance(timedelta(minutes=5, seconds=2))
            await until(lambda: not house.server._connections)


# --- Too much -------------------------------------------------------------------------------------


async def test_a_client_that_gets_everything_wrong_is_sent_away() -> None:
    async with serving() as house, await house.greeted() as client:
        client.say(*["XYZZY"] * 100)
        heard = [await client.reply() for _ in range(21)]
        assert heard[-1] == "421 4.7.0 Too many errors; closing"
        assert await client.is_closed()


async def test_small_talk_without_a_message_ends_and_a_message_renews_it() -> None:
    async with serving() as house, await house.greeted() as client:
        for number in range(2):
            client.say(*["NOOP"] * 190)
            assert {await client.reply() for _ in range(190)} == {"250 2.0.0 Ok"}
            assert (await send_message(client, "x")).endswith(f"Q{number + 1}")
        client.say(*["NOOP"] * 250)
        heard = [await client.reply() for _ in range(201)]
        assert heard[-1] == "421 4.7.0 Too many commands without a message; closing"


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


async def test_a_line_without_an_end_uses_no_memory() -> None:
    async with serving() as house, await house.greeted() as client:
        conversation = house.conversation
        for _ in range(100):
            client.send(b"x" * 65_536)
            await client.writer.drain()
            assert len(conversation.buffer._buffer) <= 3 * 65_536
        client.say("")
        assert await client.reply() == "500 5.5.2 Command line too long"
        assert await client.ask("NOOP") == "250 2.0.0 Ok"


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


# --- Logins ---------------------------------------------------------------------------------------


async def test_the_login_is_part_of_the_origin() -> None:
    login = Login("scanner", quick_hash("secret"))
    listener = Listener(address="127.0.0.1:0", auth="optional")
    async with serving(listener, logins=(login,)) as house, await house.greeted() as client:
        assert (await client.ask("AUTH PLAIN AHNjYW5uZXIAc2VjcmV0")).startswith("235")
        assert await send_message(client, "x") == QUEUED
        assert house.reception.received[0].origin.login == "scanner"


async def test_no_login_inside_a_transaction() -> None:
    login = Login("scanner", quick_hash("secret"))
    listener = Listener(address="127.0.0.1:0", auth="optional")
    async with serving(listener, logins=(login,)) as house, await house.greeted() as client:
        assert await client.ask(ENVELOPE[0]) == "250 2.1.0 Sender ok"
        assert await client.ask("AUTH PLAIN AHNjYW5uZXIAc2VjcmV0") == (
            "503 5.5.1 Not while a message is under way"
        )
