"""What a session knows about its client, and how many mistakes it tolerates."""

from graphrelay.model import Reply
from graphrelay.smtp.access.listener import Listener
from graphrelay.smtp.access.login import Login
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import ENVELOPE, QUEUED, MemoryReception, send_message, serving


async def test_every_reply_with_a_status_has_an_enhanced_one() -> None:
    async with serving() as house, await house.greeted() as client:
        commands = ["NOOP", "HELP", "VRFY x", "EXPN x", "RSET", "XYZZY", *ENVELOPE, "RSET", "QUIT"]
        for command in commands:
            reply = await client.ask(command)
            assert reply[4:9] == f"{reply[0]}.{reply[6]}.{reply[8]}", reply


async def test_a_long_reply_is_folded_into_lines_that_a_client_can_take() -> None:
    reception = MemoryReception(answer=Reply(550, "5.7.1", "word " * 300))
    async with serving(reception=reception) as house, await house.greeted() as client:
        lines = (await send_message(client, "x")).split("|")
        assert len(lines) > 1
        assert all(line.startswith("550") and len(line) <= 510 for line in lines)


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


async def test_the_login_is_part_of_the_origin() -> None:
    login = Login("scanner", quick_hash("secret"))
    listener = Listener(address="127.0.0.1:0", auth="optional")
    async with serving(listener, logins=(login,)) as house, await house.greeted() as client:
        assert (await client.ask("AUTH PLAIN AHNjYW5uZXIAc2VjcmV0")).startswith("235")
        assert await send_message(client, "x") == QUEUED
        assert house.reception.received[0].origin.login == "scanner"
