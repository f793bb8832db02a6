"""What an administrator of the database does, as docs/several-hosts.md says it."""

import subprocess
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.postgres.schema import prepare
from graphrelay.spool.queries import QueueFilter
from tests.clock import FakeClock
from tests.spool.mail import put
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer
from tests.tools import ROOT

DOCUMENT = (ROOT / "docs" / "several-hosts.md").read_text("utf-8")


async def test_a_role_that_may_not_create_uses_what_the_owner_has_made(
    database: str, postgres_server_of_all: PostgresServer, clock: FakeClock, journal: Journal
) -> None:
    server = postgres_server_of_all
    server.execute("CREATE ROLE relays LOGIN")
    grants = [line.strip() for line in DOCUMENT.splitlines() if "ALTER DEFAULT PRIVILEGES" in line]
    assert len(grants) == 3
    try:
        theirs = database.replace("relay@", "relays@")
        with pytest.raises(StorageUnavailable, match="Run: graphrelay spool init"):
            async with a_relay(theirs, clock, journal):
                pass
        for grant in grants:
            server.execute(grant)
        await prepare(database)
        async with a_relay(theirs, clock, journal) as spool:
            await put(spool, b"x" * 300_000)
    finally:
        server.execute("DROP SCHEMA graphrelay CASCADE")
        server.execute("DROP OWNED BY relays")
        for grant in grants:
            server.execute(grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        server.execute("DROP ROLE relays")


async def test_a_dump_is_restored_as_the_page_says(
    database: str,
    postgres_server_of_all: PostgresServer,
    clock: FakeClock,
    journal: Journal,
    tmp_path: Path,
) -> None:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))

    def run(line: str) -> None:
        """A line of the page, with this database and this file."""
        assert line in DOCUMENT
        name, rest = line.split(" ", 1)
        words = rest.replace('"$URL"', f"'{database}'")
        words = words.replace("graphrelay.dump", str(tmp_path / "graphrelay.dump"))
        subprocess.run(["sh", "-c", f"{programs / name} {words}"], check=True)

    async with a_relay(database, clock, journal) as spool:
        kept = [(await put(spool, octets))[0].queue_id for octets in (b"small", b"x" * 300_000)]
        run('pg_dump --format=custom --schema=graphrelay --file=graphrelay.dump "$URL"')
        await put(spool, b"later")
    run('pg_restore --clean --if-exists --exit-on-error --dbname="$URL" graphrelay.dump')
    async with a_relay(database, clock, journal) as spool:
        rows = await spool.read(QueueFilter(state="queued"))
        assert [row.queue_id for row in rows] == kept
        body = (await spool.load(rows[1].submission_id)).body
        assert body.size == 300_000
        await put(spool)
