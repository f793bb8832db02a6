"""Relays behind PgBouncer: in session mode everything works; in transaction mode they do not start,
and say why."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from tests.clock import FakeClock
from tests.e2e.kill_nine import free_port
from tests.spool.mail import put
from tests.spool.postgres.relays import LANES, Watcher, a_relay, mail_in_every_lane, one_to, settled
from tests.spool.postgres_server import PostgresServer
from tests.tools import needs

Bouncer = Callable[[str], str]


@pytest.fixture
def bouncer(
    tmp_path: Path, database: str, postgres_server_of_all: PostgresServer
) -> Iterator[Bouncer]:
    """Starts one in this mode; its URL."""
    program, running = needs("pgbouncer"), list["subprocess.Popen[bytes]"]()

    def start(mode: str) -> str:
        port = free_port()
        config = tmp_path / "pgbouncer.ini"
        users = tmp_path / "users.txt"
        users.write_text('"relay" ""\n')
        config.write_text(
            f"[databases]\n* = host={postgres_server_of_all.folder} port=5432\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
            f"auth_file = {users}\nunix_socket_dir =\npool_mode = {mode}\n"
            "max_client_conn = 200\ndefault_pool_size = 60\n"
            "ignore_startup_parameters = extra_float_digits,options\n"
        )
        command = [str(program), str(config)]
        if os.geteuid() == 0:  # it refuses to run as root
            for path in (tmp_path, *tmp_path.parents):
                if path.stat().st_mode & 0o005 != 0o005 and str(path).startswith("/tmp/pytest"):
                    path.chmod(0o755)
            command += ["--user", "postgres"]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        url = f"postgresql://relay@127.0.0.1:{port}/postgres?sslmode=disable"
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return url

    yield start
    for one in running:
        one.terminate()
        one.wait()


async def test_in_session_mode_two_relays_share_lanes_and_hear_of_each_other(
    bouncer: Bouncer, clock: FakeClock, journal: Journal
) -> None:
    url = bouncer("session")
    async with (
        a_relay(url, clock, journal, host="a") as first,
        a_relay(url, clock, journal, host="b") as second,
    ):
        await mail_in_every_lane(first)
        await settled(first, second)
        shares = [{one for one in LANES if spool.sends(one)} for spool in (first, second)]
        assert shares[0] | shares[1] == set(LANES)
        assert not shares[0] & shares[1]
        assert all(shares)
        watcher = Watcher()
        second.watch(watcher)
        theirs = min(shares[1])
        await put(first, b"x" * 300_000, one_to("carl", theirs))
        await watcher.hears("changed", theirs)


async def test_in_transaction_mode_a_relay_does_not_start_and_says_what_does_not_work(
    bouncer: Bouncer, clock: FakeClock, journal: Journal
) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        async with a_relay(bouncer("transaction"), clock, journal):
            pass
    for word in ("PgBouncer", "transaction mode", "LISTEN", "pool_mode = session"):
        assert word in str(refused.value)
