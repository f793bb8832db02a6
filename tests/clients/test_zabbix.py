"""Zabbix's server with its media type Email, which sends with libcurl."""

import gzip
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.arrivals import Relay
from tests.clients.pages import FOLDER
from tests.spool.postgres_server import PostgresServer
from tests.tools import needs

SENDER, TO = "wp@contoso.com", "anna@example.org"
SETTINGS = """
DBHost={socket}
DBName=zabbix
DBUser=relay
ListenIP=127.0.51.1
LogType=console
PidFile={folder}/pid
SocketDir={folder}
AllowRoot=1
StartPingers=0
"""
ROWS = """
SET session_replication_role = replica;
INSERT INTO config (configid, alert_usrgrpid, discovery_groupid) VALUES (1, 1, 1);
INSERT INTO users (userid, username, roleid) VALUES (1, 'Admin', 3);
INSERT INTO actions (actionid, name) VALUES (1, 'Report problems');
INSERT INTO events (eventid, objectid) VALUES (1, 1);
INSERT INTO media_type (mediatypeid, name, smtp_helo, smtp_email, smtp_server, smtp_port)
  VALUES (1, 'Email', 'zabbix.contoso.com', '{sender}', '{host}', {port});
INSERT INTO alerts
  (alertid, actionid, eventid, userid, mediatypeid, clock, sendto, subject, message)
  SELECT number, 1, 1, 1, 1, {now}, '{to}', 'Größe ' || number,
    E'Köln\\n.\\n' || repeat('x', 2000) FROM generate_series(1, 3) number;
"""
"""What its setup and its frontend would have written, and three alerts of an action."""


@pytest.fixture
def database(postgres_server_of_all: PostgresServer) -> Iterator[PostgresServer]:
    """With Zabbix's tables."""
    folder = needs("zabbix-server").parents[2] / "usr/share"
    (schema,) = folder.glob("zabbix-*/**/schema.sql.gz")
    postgres_server_of_all.execute("CREATE DATABASE zabbix")
    with gzip.open(schema, "rt", encoding="utf-8") as sql:
        postgres_server_of_all.execute(sql.read(), "zabbix")
    yield postgres_server_of_all
    postgres_server_of_all.execute("DROP DATABASE zabbix WITH (FORCE)")


@contextmanager
def zabbix(database: PostgresServer, folder: Path) -> Iterator[None]:
    config, log = folder / "zabbix_server.conf", folder / "zabbix_server.log"
    settings = SETTINGS.format(socket=database.folder, folder=folder)
    config.write_text(settings, "utf-8")
    with log.open("wb") as out:
        server = subprocess.Popen(
            [needs("zabbix-server"), "--foreground", "--config", config], stdout=out, stderr=out
        )
    try:
        yield
    except BaseException:
        print(log.read_text("utf-8"))
        raise
    finally:
        server.terminate()
        server.wait(60)


async def test_the_media_type_of_the_documentation_sends_alerts(
    relay: Relay, database: PostgresServer, tmp_path: Path
) -> None:
    page = (FOLDER / "zabbix.md").read_text("utf-8")
    assert re.findall("SMTP server.*?`(.*?)`", page) == ["127.0.0.1", "2525"]
    rows = ROWS.format(
        sender=SENDER, host=relay.smtp_host, port=relay.smtp_port, to=TO, now=int(time.time())
    )
    database.execute(rows, "zabbix")
    with zabbix(database, tmp_path):
        arrivals = await relay.arrived(3)
    for arrival in arrivals:
        assert (arrival.sender, arrival.recipients) == (SENDER, (TO,))
        assert arrival.html == f"Köln\n.\n{'x' * 2000}"
    assert sorted(one.subject for one in arrivals) == ["Größe 1", "Größe 2", "Größe 3"]
