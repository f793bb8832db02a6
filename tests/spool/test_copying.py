"""A queue is copied whole, from either engine to the other, and both are compared."""

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from graphrelay.daemon.spool_copy import copy_spool
from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.oauth.vault.shared import open_shared_vault
from graphrelay.oauth.vault.vault import Put, open_vault
from graphrelay.spool.changes import Delete, Hold
from graphrelay.spool.copying import CannotCopy, Copied
from graphrelay.spool.errors import SpoolInUse
from graphrelay.spool.postgres import PostgresSpool
from graphrelay.spool.postgres.schema import prepare
from graphrelay.spool.queries import HistoryOf, LogFilter, QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.files.disk import Disk
from tests.clock import FakeClock
from tests.spool.copies import contents, filled
from tests.spool.mail import put
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer


def quietly(*_: object) -> None:
    pass


def there(directory: Path, url: str) -> Copied:
    return copy_spool(directory, url, quietly, back=False)


def back(directory: Path, url: str) -> Copied:
    return copy_spool(directory, url, quietly, back=True)


@pytest.fixture
def state(tmp_path: Path, clock: FakeClock, journal: Journal) -> Path:
    """A state directory whose queue has everything."""
    asyncio.run(filled(tmp_path / "state", clock, journal))
    return tmp_path / "state"


def test_there_and_back_again_nothing_is_different(
    state: Path, tmp_path: Path, database: str
) -> None:
    before = contents(state)
    copied = there(state, database)
    assert not copied.before
    assert {one.table: one.rows for one in copied.tables}["messages"] == len(before["messages"])
    back(tmp_path / "again", database)
    assert contents(tmp_path / "again") == before


def test_an_attempt_in_flight_is_counted_in_the_copy(state: Path, database: str) -> None:
    there(state, database)
    with closing(psycopg.connect(database)) as connection:
        counted = connection.execute(
            """SELECT s.attempts, f.number FROM graphrelay.in_flight f
               JOIN graphrelay.submissions s ON s.id = f.submission"""
        ).fetchall()
    assert counted == [(1, 1)]


def test_the_source_is_kept_where_no_relay_looks(
    state: Path, tmp_path: Path, database: str, postgres_server_of_all: PostgresServer
) -> None:
    before = contents(state)
    copied = there(state, database)
    assert not (state / "spool.db").exists()
    assert contents(Path(copied.aside)) == before
    copied = back(tmp_path / "again", database)
    name = copied.aside.split()[1]
    assert postgres_server_of_all.execute(f"SELECT count(*) FROM {name}.messages") == [
        (len(before["messages"]),)
    ]
    postgres_server_of_all.execute(f"DROP SCHEMA {name} CASCADE")


def test_a_relay_goes_on_with_the_copy(
    state: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    there(state, database)

    async def go_on() -> None:
        async with a_relay(database, clock, journal) as spool:
            assert len(await spool.lanes()) == 2
            rows = await spool.read(QueueFilter(state="queued"))
            for row in rows:
                await spool.load(row.submission_id)
            [new] = await put(spool)
            assert new.id > max(row.submission_id for row in rows)

    asyncio.run(go_on())


def test_a_copy_that_was_complete_but_for_its_last_step_is_found_complete(
    state: Path, database: str
) -> None:
    """Killed after the copy was put in place, before the source was set aside."""
    aside = Path(there(state, database).aside)
    for name in ("spool.db", "bodies"):
        (aside / name).rename(state / name)
    assert there(state, database).before
    assert not (state / "spool.db").exists()


def test_a_copy_that_was_killed_while_it_was_put_in_place_is_continued(
    state: Path, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(state)
    there(state, database)
    rename = Disk.rename

    def killed(disk: Disk, old: Path, new: Path) -> None:
        if old.name == "spool.db":
            raise KeyboardInterrupt
        rename(disk, old, new)

    monkeypatch.setattr(Disk, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        back(tmp_path / "again", database)
    monkeypatch.undo()
    back(tmp_path / "again", database)
    assert contents(tmp_path / "again") == before


def test_the_last_steps_of_a_copy_wait_for_the_disk(
    state: Path, tmp_path: Path, database: str, postgres_server_of_all: PostgresServer
) -> None:
    for sql in _NOTE_RENAMES:
        postgres_server_of_all.execute(sql)
    there(state, database)
    back(tmp_path / "again", database)
    found = postgres_server_of_all.execute("SELECT setting FROM public.renames")
    for sql in _NO_MORE:
        postgres_server_of_all.execute(sql)
    assert found == [("on",), ("on",)]


_NOTE_RENAMES = (
    "CREATE TABLE public.renames (setting text)",
    """CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO public.renames VALUES (current_setting('synchronous_commit')); END $$""",
    """CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('ALTER SCHEMA')
       EXECUTE FUNCTION public.note()""",
)
_NO_MORE = (
    "DROP EVENT TRIGGER note",
    "DROP FUNCTION public.note()",
    "DROP TABLE public.renames",
)


def test_another_queue_is_not_replaced(
    state: Path, tmp_path: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    there(state, database)
    asyncio.run(filled(tmp_path / "other", clock, journal))
    before = contents(tmp_path / "other")
    with pytest.raises(CannotCopy, match=r"another queue already .messages: the row id = 1"):
        there(tmp_path / "other", database)
    with pytest.raises(CannotCopy, match="another queue already"):
        back(tmp_path / "other", database)
    assert contents(tmp_path / "other")["submissions"] == before["submissions"]


def test_what_a_source_changed_since_an_interruption_is_copied_too(
    state: Path, tmp_path: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    """The relay ran again between an interrupted copy and the next one."""

    def interrupted(doing: str, table: str, *_: object) -> None:
        if (doing, table) == ("compared", "readings"):
            raise KeyboardInterrupt

    for direction, source in (("there", state), ("back", tmp_path / "again")):
        with pytest.raises(KeyboardInterrupt):
            copy_spool(source, database, interrupted, back=direction == "back")
        if direction == "there":
            asyncio.run(_changed(state, clock, journal))
            before = contents(state)
            there(state, database)
        else:
            back(source, database)
    assert contents(tmp_path / "again") == before


async def _changed(state: Path, clock: FakeClock, journal: Journal) -> None:
    async with SqliteSpool.open(state, clock, journal, reserve=0) as spool:
        await put(spool)
        await spool.change(Hold(1, "later"))
        await spool.change(Delete(3, "not wanted"))
        [relayed] = await spool.read(LogFilter(outcome="relayed"))
        keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
        async with asyncio.timeout(10):
            while await spool.read(HistoryOf(relayed.queue_id)) is not None:
                await clock.advance(timedelta(days=91))
        keeping.cancel()
        await asyncio.wait([keeping])


def test_no_relay_may_run_on_either_side(
    state: Path, tmp_path: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    async def while_a_relay_runs_here() -> None:
        async with SqliteSpool.open(state, clock, journal, reserve=0):
            with pytest.raises(SpoolInUse):
                await asyncio.to_thread(there, state, database)

    async def while_a_relay_runs_there() -> None:
        async with PostgresSpool.open(database, clock, journal, host="web1"):
            for copy in (there, back):
                with pytest.raises(CannotCopy, match="web1 still runs"):
                    await asyncio.to_thread(copy, state if copy is there else tmp_path, database)

    asyncio.run(while_a_relay_runs_here())
    asyncio.run(while_a_relay_runs_there())


def test_a_relay_that_was_cut_off_cannot_write_to_a_queue_that_was_copied(
    state: Path, tmp_path: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    """It comes back while the queue is read, and finds none afterwards."""
    there(state, database)

    async def comes_back() -> None:
        async with a_relay(database, clock, journal, lease=timedelta(seconds=2)) as spool:
            await put(spool)
            copying = asyncio.Event()
            loop = asyncio.get_running_loop()

            def reading(doing: str, *_: object) -> None:
                loop.call_soon_threadsafe(copying.set)

            postgres_rows = "UPDATE graphrelay.relays SET expires_at = 0"
            async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
                await other.execute(postgres_rows)
            copied = asyncio.create_task(
                asyncio.to_thread(copy_spool, tmp_path / "again", database, reading, back=True)
            )
            await copying.wait()
            with pytest.raises(StorageUnavailable):
                await put(spool)
            await copied

    asyncio.run(comes_back())


def test_authorizations_are_copied_as_they_are(
    state: Path, tmp_path: Path, database: str, clock: FakeClock, journal: Journal
) -> None:
    """Encrypted, so the key has to be the same, and is not copied."""
    key, again = (state / "vault.key"), tmp_path / "again"
    vault = open_vault(state, "file")
    vault.change("website", lambda _: Put("refresh token"))
    vault.close()
    before = {path.name: path.read_bytes() for path in (state / "vault").iterdir()}
    copied = there(state, database)
    assert copied.tables[-1].rows == 1
    assert key.exists()
    assert not (state / "vault").exists()

    async def as_relays_read_it() -> str | None:
        async with a_relay(database, clock, journal) as spool:
            with closing(open_shared_vault(state, spool.secrets)) as vault:
                return await asyncio.to_thread(vault.read, "website")

    assert asyncio.run(as_relays_read_it()) == "refresh token"
    back(again, database)
    assert {path.name: path.read_bytes() for path in (again / "vault").iterdir()} == before


def test_authorizations_that_are_there_already_are_not_replaced(
    state: Path, database: str, postgres_server_of_all: PostgresServer
) -> None:
    asyncio.run(prepare(database))
    postgres_server_of_all.execute(
        "INSERT INTO graphrelay.secrets VALUES ('graphrelay', 'website', 1, 'sealed')"
    )
    with pytest.raises(CannotCopy, match="authorizations already"):
        there(state, database)
    assert (state / "spool.db").exists()
