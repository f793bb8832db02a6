"""Relays behind HAProxy, which asks their health port: one after the other is stopped and started
again while mail comes in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from graphrelay.oauth.vault.key import new_key_text
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, free_port
from tests.e2e.several_relays import given_key
from tests.tools import needs

HAPROXY = """
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
listen smtp
    bind 127.0.0.1:{front}
    balance leastconn
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server check inter 200ms fall 1 rise 1
    server relay1 127.0.0.1:{one} port {one_health}
    server relay2 127.0.0.1:{two} port {two_health}
"""


CONNECTIONS = 8
"""Of the clients, at once."""


class Pair:
    """Two relays with one queue, the balancer's port, and that of the first relay itself."""

    def __init__(
        self, cloud: Sandbox, members: list[tuple[Daemon, int]], front: int, first: int
    ) -> None:
        self.cloud = cloud
        self.members = members
        self.front = front
        self.first = first


def flood_through(front: int) -> Flood:
    return Flood("127.0.0.1", front, sender="wp@contoso.com", recipient="a@b.example", mark="roll")


async def health(port: int, path: str = "/healthz") -> tuple[int, dict[str, object]]:
    """Status and answer; 0 while nobody answers."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0, {}
    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    try:
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    except OSError:
        return 0, {}
    finally:
        writer.close()
    return (int(head.split()[1]), json.loads(body)) if body else (0, {})


async def until_it_says(status: int, port: int, path: str = "/healthz") -> dict[str, object]:
    async with asyncio.timeout(300):
        while (found := await health(port, path))[0] != status:  # noqa: ASYNC110 (a process)
            await asyncio.sleep(0.1)
    return found[1]


@pytest.fixture
async def pair(tmp_path: Path, database: str) -> AsyncIterator[Pair]:
    haproxy = needs("haproxy")
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(Sandbox())
        members, ports, key = [], dict[str, int](), new_key_text()
        for name in ("one", "two"):
            ports |= {name: free_port(), f"{name}_health": free_port()}
            place = tmp_path / name
            given_key(place / "state", key)
            config = relay_config(cloud, place / "state", f"127.0.0.1:{ports[name]}", "any-user")
            health_port = ports[f"{name}_health"]
            config += f'\n[spool]\nurl = "{database}"\nlease = "2s"\n'
            config += f'[metrics]\naddress = "127.0.0.1:{health_port}"\n'
            daemon = Daemon(place, config)
            stack.push_async_callback(daemon.abandon)
            await daemon.authorize()
            await daemon.start()
            members.append((daemon, health_port))
        for _, port in members:
            await until_it_says(200, port)
        written = tmp_path / "haproxy.cfg"
        written.write_text(HAPROXY.format(front=(front := free_port()), **ports))
        balancer = await asyncio.create_subprocess_exec(
            *(str(haproxy), "-db", "-f", str(written)), stderr=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(balancer.wait)
        stack.callback(balancer.kill)
        async with asyncio.timeout(60):
            await flood_through(front).greeted()
        yield Pair(cloud, members, front, ports["one"])


@pytest.mark.timeout(1500)
async def test_a_rolling_restart_loses_no_message_and_postpones_only_what_was_just_beginning(
    pair: Pair,
) -> None:
    flood = flood_through(pair.front)
    done = asyncio.Event()

    async def keep_sending() -> None:
        while not done.is_set():
            await flood.send(40, CONNECTIONS)

    async with asyncio.timeout(600), asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_sending())
        for daemon, port in pair.members:
            await flood.acknowledged(len(flood.told.acknowledged) + 50)
            await daemon.stop()
            await flood.acknowledged(len(flood.told.acknowledged) + 30)
            await daemon.start()
            await until_it_says(200, port)
        done.set()
    assert set(flood.told.put_off) <= {"421 4.3.2 The relay is stopping; try again later"}
    assert len(flood.told.put_off) <= len(pair.members) * CONNECTIONS
    assert not flood.told.unanswered
    async with asyncio.timeout(200):
        while flood.told.acknowledged - pair.cloud.mailboxes.submissions.keys():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.timeout(1500)
async def test_a_relay_that_stops_says_so_and_takes_the_message_that_is_coming_in(
    pair: Pair,
) -> None:
    (daemon, port), _ = pair.members
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.first)
    await reader.readline()
    for command in ("EHLO x", "MAIL FROM:<wp@contoso.com>", "RCPT TO:<a@b.example>", "DATA"):
        writer.write(f"{command}\r\n".encode())
        while (await reader.readline())[3:4] == b"-":
            pass
    writer.write(b"Subject: in the middle\r\n\r\n")
    await writer.drain()
    stopping = asyncio.create_task(daemon.stop())
    found = await until_it_says(503, port, "/readyz")
    assert found == {"ready": False, "problems": ["the relay is stopping"]}
    assert (await health(port))[1]["accepting"] is False
    writer.write(b"text\r\n.\r\n")
    assert (await reader.readline()).startswith(b"250 2.0.0 Ok: queued as")
    writer.close()
    await stopping
    [mail] = await pair.cloud.mailboxes.arrived(1)
    assert mail.head.subject == "in the middle"
