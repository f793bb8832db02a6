"""The replies to a client when things go well, badly, slowly or too fast; what the reception
gets."""

import asyncio
import contextlib
import itertools
import socket
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP

from graphrelay.smtp.access.listener import Limits
from graphrelay.smtp.connection import transcript
from graphrelay.smtp.connection.buffer import ConnectionBuffer
from graphrelay.smtp.session.conversation import COMMANDS
from tests.clock import FakeClock
from tests.smtp.reception import (
    ENVELOPE,
    QUEUED,
    Client,
    House,
    MemoryReception,
    begin_data,
    send_message,
    serving,
    until,
)

TIMEOUTS = Limits(command_timeout=timedelta(minutes=5), data_timeout=timedelta(minutes=3))


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


# --- Failures on our side
# --------------------------------------------------------------------------


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
        assert reply == "451 4.3.0 Internal error; try again later"
        reception.trouble = reception.answer = None
        assert await send_message(client, "x") == QUEUED
        (entry,) = house.events("smtp-trouble")
        assert entry.level == "error"
        assert "secret detail" in str(entry.fields["reason"])


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
