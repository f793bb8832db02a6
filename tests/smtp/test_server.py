"""Opening, limiting and stopping."""

import asyncio
import ipaddress
import os
import resource
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.smtp import open_listener
from graphrelay.smtp.access.listener import Limits, Listener, ListenError
from graphrelay.smtp.access.login import Login
from graphrelay.smtp.server import Server
from tests.clock import FakeClock
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import Client, House, MemoryReception, serving

NETWORK_OF_OTHERS = (ipaddress.ip_network("192.0.2.0/24"),)
IN_MESSAGE = ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
TOO_MANY_FILES = "421 4.3.2 Too many open files in this relay; try again later"


def server(*listeners: Listener) -> Server:
    clock = FakeClock()
    return Server(
        listeners, Limits(), "relay.example", (), MemoryReception(), Journal(clock), clock
    )


async def send_data(client: Client) -> None:
    client.say(*IN_MESSAGE)
    replies = [await client.reply() for _ in IN_MESSAGE]
    assert replies[-1].startswith("354")


# --- Listening ------------------------------------------------------------------------------------


async def test_several_listeners_serve_at_once(tmp_path: Path) -> None:
    path = tmp_path / "smtp"
    async with serving(
        Listener(address="127.0.0.1:0"), Listener(address=f"unix:{path}", allow_from=())
    ) as house:
        assert house.server.addresses[1] == f"unix:{path}"
        async with await house.connect() as client:
            assert await client.reply() == "220 relay.example ESMTP graphrelay"
        async with Client(*await asyncio.open_unix_connection(path)) as client:
            client.say("HELO local", *IN_MESSAGE, "x", ".")
            replies = [await client.reply() for _ in range(6)]
            assert replies[-1] == "250 2.0.0 Ok: queued as Q1"
        assert house.reception.received[0].origin.client == "unix"
        assert [entry.fields["address"] for entry in house.events("listening")] == list(
            house.server.addresses
        )
    assert not path.exists()


@pytest.mark.parametrize("lacks", ["Connection", "Conversation"])
async def test_a_client_for_which_there_is_no_memory_is_the_only_one_that_is_not_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacks: str
) -> None:
    def without_memory(*_: object) -> None:
        raise MemoryError

    async def connect(address: str) -> Client:
        if address.startswith("unix:"):
            return Client(*await asyncio.open_unix_connection(address.removeprefix("unix:")))
        return await house.connect()

    listeners = Listener(address="127.0.0.1:0"), Listener(address=f"unix:{tmp_path}/smtp")
    async with serving(*listeners) as house:
        for address in house.server.addresses:
            with monkeypatch.context() as short:
                short.setattr(open_listener, lacks, without_memory)
                async with await connect(address) as client:
                    assert await client.is_closed()
            async with await connect(address) as client:
                assert (await client.reply()).startswith("220")
        assert {event.fields["reason"] for event in house.events("client-not-served")} <= {
            "MemoryError()"
        }


async def test_ipv6_is_served() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback address on this machine")
    async with serving(Listener(address="[::1]:0")) as house:
        assert house.server.addresses[0].startswith("[::1]:")
        async with Client(*await asyncio.open_connection("::1", house.port)) as client:
            assert (await client.reply()).startswith("220")


async def test_when_one_listener_cannot_open_nothing_stays_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        one = server(Listener(address=f"unix:{tmp_path}/smtp"), Listener(address=taken))
        with pytest.raises(ListenError, match="in use by another program"):
            await one.start()
    assert not (tmp_path / "smtp").exists()


@pytest.mark.parametrize(
    ("listener", "expected"),
    [
        (Listener(address="192.0.2.1:0"), "no such address"),
        (Listener(address="unix:/nonexistent/smtp"), "No such file"),
        (Listener(address="systemd:smtp"), "handed over: none"),
        (Listener(address="nobody.invalid:25"), "cannot listen there"),
        (
            Listener(address="0.0.0.0:0", allow_from=(ipaddress.ip_network("0.0.0.0/0"),)),
            "open relay",
        ),
        (
            Listener(address="127.0.0.1:0", tls="implicit", certificate_file=Path("/none.pem")),
            "cannot read /none.pem",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.address,
)
async def test_what_cannot_be_opened_is_said_in_a_sentence(
    listener: Listener, expected: str
) -> None:
    with pytest.raises(ListenError, match=expected) as caught:
        await server(listener).start()
    assert str(caught.value).startswith(listener.address)


# --- Who may connect
# --------------------------------------------------------------------------------


async def test_a_client_of_another_network_is_refused_and_logged_once() -> None:
    async with serving(Listener(address="127.0.0.1:0", allow_from=NETWORK_OF_OTHERS)) as house:
        for _ in range(3):
            async with await house.connect() as client:
                assert (
                    await client.reply()
                    == "554 5.7.1 127.0.0.1 may not use this relay (allow_from)"
                )
                assert await client.is_closed()
        (entry,) = house.events("refused")
        assert entry.fields["client"] == "127.0.0.1"
        assert entry.fields["stage"] == "CONNECT"


@pytest.mark.parametrize(
    "limits", [Limits(max_connections=2), Limits(max_connections_per_client=2)], ids=["all", "one"]
)
async def test_too_many_connections_get_421_and_a_place_that_is_free_again_is_given(
    limits: Limits,
) -> None:
    async with serving(limits=limits) as house, await house.greeted() as first:
        async with await house.greeted(), await house.connect() as third:
            assert (await third.reply()).startswith("421 4.")
            assert await third.is_closed()
        assert await first.ask("QUIT") == "221 2.0.0 Bye"
        assert await first.is_closed()
        async with await house.greeted() as fourth, await house.greeted():
            assert await fourth.ask("NOOP") == "250 2.0.0 Ok"


async def test_one_user_of_a_unix_socket_cannot_take_the_places_of_all_others(
    tmp_path: Path,
) -> None:
    path = tmp_path / "smtp"
    listeners = Listener(address="127.0.0.1:0"), Listener(address=f"unix:{path}")
    async with serving(*listeners, limits=Limits(max_connections=4)) as house:
        inside = [Client(*await asyncio.open_unix_connection(path)) for _ in range(3)]
        assert [(await client.reply())[:3] for client in inside] == ["220"] * 3
        async with Client(*await asyncio.open_unix_connection(path)) as client:
            too_many = f"421 4.7.0 Too many connections from unix user {os.getuid()}, 3 allowed"
            assert await client.reply() == too_many
        async with await house.connect() as client:
            assert (await client.reply()).startswith("220")
        assert await inside[0].ask("QUIT") == "221 2.0.0 Bye"
        assert await inside[0].is_closed()
        async with Client(*await asyncio.open_unix_connection(path)) as client:
            assert (await client.reply()).startswith("220")
        for client in inside:
            await client.close()


async def test_where_descriptors_run_short_newcomers_hear_why_and_who_is_inside_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as house, await house.greeted() as inside:
        with monkeypatch.context() as short:
            short.setattr(resource, "getrlimit", lambda _: (8, 8))
            async with await house.connect() as late:
                assert await late.reply() == TOO_MANY_FILES
                assert await late.is_closed()
            assert await inside.ask("NOOP") == "250 2.0.0 Ok"
        async with await house.connect() as later:
            assert (await later.reply()).startswith("220")
        (refused,) = house.events("refused")
        assert refused.fields["reply"] == TOO_MANY_FILES


# --- New rules ------------------------------------------------------------------------------------


async def reload(house: House, *listeners: Listener, limits: Limits | None = None) -> None:
    await house.server.reload(listeners, limits or Limits(), "new.example", ())


async def test_new_rules_hold_from_the_next_client_on_and_nobody_is_cut_off() -> None:
    async with serving() as house, await house.greeted() as inside:
        before = house.server.addresses
        await reload(house, Listener(address="127.0.0.1:0", allow_from=NETWORK_OF_OTHERS))
        assert house.server.addresses == before
        assert await inside.ask("HELO x") == "250 relay.example"
        async with await house.connect() as client:
            assert (await client.reply()).startswith("554 5.7.1")
        await reload(house, Listener(address="127.0.0.1:0"), limits=Limits(max_connections=1))
        async with await house.connect() as client:
            assert (await client.reply()).startswith("421 4.3.2")
        assert await inside.ask("QUIT") == "221 2.0.0 Bye"
        assert await inside.is_closed()
        async with await house.connect() as client:
            assert (await client.reply()) == "220 new.example ESMTP graphrelay"


async def test_new_listeners_open_and_old_ones_close(tmp_path: Path) -> None:
    first, second = (Listener(address=f"unix:{tmp_path}/{name}") for name in ("first", "second"))
    async with serving(first) as house:
        inside = Client(*await asyncio.open_unix_connection(tmp_path / "first"))
        assert (await inside.reply()).startswith("220")
        await reload(house, second, Listener(address="127.0.0.1:0"))
        assert not (tmp_path / "first").exists()
        async with Client(*await asyncio.open_unix_connection(tmp_path / "second")) as client:
            assert (await client.reply()).startswith("220")
        assert await inside.ask("NOOP") == "250 2.0.0 Ok"
        await inside.close()


async def test_bad_rules_change_nothing() -> None:
    async with serving() as house:
        before = house.server.addresses
        wide = (ipaddress.ip_network("0.0.0.0/0"),)
        for bad in (
            Listener(address="192.0.2.1:0"),
            Listener(address="0.0.0.0:0", allow_from=wide),
            Listener(address="127.0.0.1:0", tls="implicit"),
        ):
            with pytest.raises(ListenError):
                await reload(house, Listener(address="unix:/nonexistent/x"), bad)
            assert house.server.addresses == before
            async with await house.connect() as client:
                assert (await client.reply()) == "220 relay.example ESMTP graphrelay"


async def test_two_listeners_at_one_address_are_a_mistake() -> None:
    one = Listener(address="127.0.0.1:2525")
    with pytest.raises(ListenError, match="two listeners"):
        await server(one, one).start()


# --- Stopping -------------------------------------------------------------------------------------


async def test_stop_sends_idle_clients_away_and_lets_nobody_in() -> None:
    async with serving() as house:
        idle = await house.greeted()
        silent = await house.connect()
        assert (await silent.reply()).startswith("220")
        await house.server.stop(timedelta(minutes=1))
        for client in (idle, silent):
            assert await client.reply() == "421 4.3.2 The relay is stopping; try again later"
            assert await client.is_closed()
            await client.close()
        with pytest.raises(ConnectionRefusedError):
            await house.connect()


async def test_stop_lets_a_message_come_to_its_end_within_the_grace() -> None:
    async with serving(clock=FakeClock()) as house:
        client = await house.greeted()
        await send_data(client)
        client.say("half")
        stopping = asyncio.create_task(house.server.stop(timedelta(minutes=1)))
        client.say("a message", ".")
        assert await client.reply() == "250 2.0.0 Ok: queued as Q1"
        assert await client.reply() == "421 4.3.2 The relay is stopping; try again later"
        await stopping
        await client.close()
        assert house.reception.received[0].octets == b"half\r\na message\r\n"


async def test_stop_cuts_a_message_short_when_the_grace_is_over() -> None:
    clock = FakeClock()
    async with serving(clock=clock) as house:
        client = await house.greeted()
        await send_data(client)
        client.say("half")
        stopping = asyncio.create_task(house.server.stop(timedelta(minutes=1)))
        await clock.advance(timedelta(seconds=59))
        assert not stopping.done()
        await clock.advance(timedelta(seconds=2))
        assert await client.reply() == "421 4.3.2 The relay is stopping; try again later"
        await stopping
        await client.close()
        assert house.reception.received == []
        assert house.reception.bodies[0].discarded


async def test_stop_waits_for_a_message_that_is_being_taken_over() -> None:
    async with serving() as house:
        client = await house.greeted()
        await send_data(client)
        house.reception.may_accept.clear()
        client.say("x", ".")
        await house.reception.accepting.wait()
        stopping = asyncio.create_task(house.server.stop())
        await asyncio.sleep(0)
        house.reception.may_accept.set()
        await stopping
        assert await client.reply() == "250 2.0.0 Ok: queued as Q1"
        await client.close()


async def test_stopping_twice_does_no_harm_and_no_connection_is_left_behind() -> None:
    async with serving() as house:
        client = await house.greeted()
        await house.server.stop()
        await house.server.stop()
        assert house.server._connections == set()
        await client.close()


async def test_who_guesses_at_a_unix_socket_is_locked_out_there_and_not_elsewhere(
    tmp_path: Path,
) -> None:
    clock, path = FakeClock(), tmp_path / "smtp"
    login = Login("printer", quick_hash("secret"))
    listeners = (
        Listener(address="127.0.0.1:0", auth="optional"),
        Listener(address=f"unix:{path}", auth="optional"),
    )
    async with serving(*listeners, logins=(login,), clock=clock) as house:
        async with Client(*await asyncio.open_unix_connection(path)) as client:
            await client.reply()
            await client.ask("EHLO local")
            for _ in range(10):
                client.say("AUTH PLAIN AHByaW50ZXIAeA==")
                answer = asyncio.create_task(client.reply())
                while not answer.done():
                    await clock.advance(timedelta(seconds=1))
                assert answer.result().startswith("535")
            assert (await client.ask("AUTH PLAIN AHByaW50ZXIAc2VjcmV0")).startswith("454")
        async with await house.greeted() as client:
            assert (await client.ask("AUTH PLAIN AHByaW50ZXIAc2VjcmV0")).startswith("235")
