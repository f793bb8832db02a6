"""Relays of two releases with one queue: one after the other is upgraded while mail comes in.

The next release is a copy of this one with another version and a migration of its own.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import graphrelay
from graphrelay.spool.postgres import schema
from tests.e2e.several_relays import Cluster, Member, Setting, cluster, verdict_of

CONNECTIONS = 9
NEXT = "99.0"
SETTING = Setting(mailboxes=30, lease=300.0)
"""No lease ends, however slow the machine is: so nothing may be doubled."""
MIGRATION = "".join(
    f"ALTER TABLE {table} ADD COLUMN next text NOT NULL DEFAULT '';"
    for table in ("messages", "submissions", "recipients", "in_flight", "log", "lanes", "relays")
)


def next_release(folder: Path, works_from: int) -> dict[str, str]:
    """The environment in which `python -m graphrelay` is the next release."""
    package = folder / "graphrelay"
    shutil.copytree(
        Path(graphrelay.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    with (package / "__init__.py").open("a") as file:
        file.write(f'__version__ = "{NEXT}"\n')
    postgres = package / "spool" / "postgres"
    (postgres / "migrations" / "next.sql").write_text(MIGRATION)
    with (postgres / "schema.py").open("a") as file:
        file.write(f'_MIGRATIONS = (*_MIGRATIONS, ("next.sql", {works_from}))\n')
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


@asynccontextmanager
async def under_load(all_: Cluster) -> AsyncIterator[None]:
    """Mail comes in over connections that are made again and again."""
    done = asyncio.Event()

    async def keep_sending() -> None:
        while not done.is_set():
            await all_.flood.send(3 * CONNECTIONS, CONNECTIONS)

    async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_sending())
        yield
        done.set()


async def each_takes_and_sends(members: list[Member]) -> None:
    for member in members:
        journal = member.daemon.journal
        for word in (" accepted ", " relayed "):
            await member.daemon.says(word, journal.count(word) + 3)


async def versions(all_: Cluster) -> dict[str, str]:
    return dict(await all_.ask("SELECT host, version FROM graphrelay.relays"))


async def started(member: Member) -> None:
    await member.start()
    async with asyncio.timeout(60):
        await member.flood.greeted()


async def start_again(all_: Cluster, member: Member) -> None:
    """The other relays work while it is stopped, and when it is back."""
    await member.daemon.stop()
    await each_takes_and_sends([other for other in all_.members if other is not member])
    await started(member)
    await each_takes_and_sends(all_.members)


@pytest.mark.timeout(1500)
async def test_relays_are_upgraded_one_after_the_other_while_mail_comes_in(tmp_path: Path) -> None:
    before = schema.newest()
    upgraded = next_release(tmp_path / "next", works_from=before)
    async with cluster(tmp_path, SETTING) as all_:
        first, second, third = all_.members
        async with under_load(all_):
            await each_takes_and_sends(all_.members)
            first.daemon.environment |= upgraded
            await start_again(all_, first)
            assert await all_.ask("SELECT max(version) FROM graphrelay.schema_version") == [
                (before + 1,)
            ]
            old = graphrelay.__version__
            assert await versions(all_) == {"a": NEXT, "b": old, "c": old}
            await start_again(all_, second)  # of the release before, with the newer tables
            assert await versions(all_) == {"a": NEXT, "b": old, "c": old}
            for member in (second, third):
                member.daemon.environment |= upgraded
                await start_again(all_, member)
            assert set((await versions(all_)).values()) == {NEXT}
        report = await verdict_of(all_, SETTING)
    assert report.verdict.lost == report.verdict.extra == 0
    assert report.holds


@pytest.mark.timeout(600)
async def test_a_release_too_old_for_the_tables_does_not_start_and_a_relay_that_runs_goes_on(
    tmp_path: Path,
) -> None:
    known = schema.newest()
    upgraded = next_release(tmp_path / "next", works_from=known + 1)
    async with cluster(tmp_path, SETTING) as all_:
        first, second, _ = all_.members
        for member in (first, second):
            await member.daemon.stop()
        first.daemon.environment |= upgraded
        await started(first)
        await second.start()
        assert await second.daemon.ends() == 1
        assert (
            f"The spool in schema graphrelay of PostgreSQL has schema version {known + 1}; this"
            f" program supports up to {known}. Install the graphrelay of the other relays."
        ) in second.daemon.journal
        assert await versions(all_) == {"a": NEXT, "c": graphrelay.__version__}
        async with under_load(all_):
            await each_takes_and_sends([one for one in all_.members if one is not second])
