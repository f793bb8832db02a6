"""Each durable step does what its name says, on a real file system."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphrelay.spool.sqlite.files.disk import Disk

DISK = Disk()


def test_a_file_is_created_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    file = tmp_path / "body"
    descriptor = DISK.create(file)
    assert DISK.write(descriptor, memoryview(b"octets")) == 6
    DISK.sync(descriptor)
    DISK.close(descriptor)
    DISK.sync_directory(tmp_path)

    assert file.read_bytes() == b"octets"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        DISK.create(file)


def test_what_is_gone_already_may_be_deleted_again(tmp_path: Path) -> None:
    (tmp_path / "body").touch()
    DISK.unlink(tmp_path / "body")
    DISK.unlink(tmp_path / "body")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_others_could_enter_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o755)
    DISK.make_directory(tmp_path / "spool")
    DISK.make_directory(tmp_path / "new" / "bodies")
    for directory in (tmp_path / "spool", tmp_path / "new" / "bodies"):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_a_second_name_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"octets")
    DISK.link(tmp_path / "a", tmp_path / "b")
    DISK.rename(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "b").samefile(tmp_path / "c")
    assert DISK.free(tmp_path) > 0


def test_a_transaction_begins_and_ends_explicitly(tmp_path: Path) -> None:
    with closing(DISK.connect(tmp_path / "db")) as connection:
        connection.execute("CREATE TABLE t (n)")
        DISK.begin(connection)
        connection.execute("INSERT INTO t VALUES (1)")
        assert connection.in_transaction
        with closing(DISK.connect_to_read(tmp_path / "db")) as reader:
            assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
        DISK.commit(connection)
        assert not connection.in_transaction


def test_no_transaction_is_begun_in_another_or_ended_without_one(tmp_path: Path) -> None:
    with closing(DISK.connect(tmp_path / "db")) as connection:
        with pytest.raises(sqlite3.OperationalError):
            DISK.commit(connection)
        DISK.begin(connection)
        connection.execute("CREATE TABLE t (n)")
        with pytest.raises(sqlite3.OperationalError):
            DISK.begin(connection)
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_a_connection_to_read_creates_no_database_and_writes_to_none(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        DISK.connect_to_read(tmp_path / "db").execute("SELECT 1 FROM sqlite_schema")
    DISK.connect(tmp_path / "db").execute("CREATE TABLE t (n)").connection.close()
    with (
        closing(DISK.connect_to_read(tmp_path / "db")) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("INSERT INTO t VALUES (1)")


def test_commits_are_synced_again_after_they_were_not(tmp_path: Path) -> None:
    with closing(DISK.connect(tmp_path / "spool.db")) as connection:
        for on, level in ((False, 1), (True, 2), (True, 2)):
            DISK.sync_commits(connection, on)
            assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        DISK.begin(connection)
        with pytest.raises(sqlite3.OperationalError):  # SQLite refuses it in a transaction
            DISK.sync_commits(connection, False)
