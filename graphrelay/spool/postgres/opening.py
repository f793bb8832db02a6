"""What a relay does first: it makes or checks the tables, and says what the server promises."""

from graphrelay.journal import Journal, events
from graphrelay.spool.postgres import schema
from graphrelay.spool.postgres.connections import Connections, refuse_shared_sessions
from graphrelay.spool.postgres.database_clock import NOW, DatabaseClock
from graphrelay.spool.postgres.writer import FIRST

_SYNCING = ("fsync", "full_page_writes")
_SERVER = f"""SELECT {NOW}, current_setting('server_version'),
    current_setting('synchronous_commit'),
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
    current_setting('synchronous_standby_names'),
    {", ".join(f"current_setting('{name}')" for name in _SYNCING)}"""  # noqa: S608 (our own words)


async def prepare(connections: Connections, clock: DatabaseClock, journal: Journal) -> str:
    """The last queue id that was given, or an empty text. Raises `SpoolTooNew`,
    `StorageUnavailable` and `psycopg.Error`."""
    async with connections.one() as connection:
        await refuse_shared_sessions(connections.url, connection)
        before, now = await schema.migrate(connection)
        if before not in (0, now):
            journal.write(events.SpoolMigrated(from_version=before, to_version=now))
        found = await connection.execute(_SERVER)
        [(at, version, durability, asked, standbys, *risks)] = await found.fetchall()
        clock.follow(at)
        journal.write(
            events.SpoolShared(
                server=f"PostgreSQL {version}",
                synchronous_commit=durability,
                asked=asked,
                synchronous_standbys=standbys or "none",
            )
        )
        for setting in (name for name, on in zip(_SYNCING, risks, strict=True) if on == "off"):
            journal.write(events.SpoolAtRisk(setting=f"{setting} = off"))
        await connection.execute(FIRST, (connections.process,))
        found = await connection.execute("SELECT max(queue_id) FROM messages")
        [(last,)] = await found.fetchall()
        return last or ""
