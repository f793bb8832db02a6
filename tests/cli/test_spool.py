"""`graphrelay spool`: the tables of the queue that several relays share, and copies of it."""

from pathlib import Path

import pytest

from tests.cli.test_commands import configured, run
from tests.spool.postgres_server import PostgresServer


def test_the_tables_are_made_once(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHRELAY_SPOOL__URL", database)
    for says in ("(was new)", "(is up to date)"):
        shown = run("--config", configured(tmp_path), "spool", "init")
        assert shown.returncode == 0, shown.stderr
        assert says in shown.stdout
        assert "synchronous_commit = on" in shown.stdout


def test_without_a_url_there_is_nothing_to_prepare(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "spool", "init")
    assert shown.returncode == 1
    assert "[spool] url is not set" in shown.stderr


def test_a_newer_schema_is_left_alone(
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    postgres_server_of_all: PostgresServer,
) -> None:
    monkeypatch.setenv("GRAPHRELAY_SPOOL__URL", database)
    run("--config", configured(tmp_path), "spool", "init")
    postgres_server_of_all.execute("INSERT INTO graphrelay.schema_version VALUES (99, 99)")
    shown = run("--config", configured(tmp_path), "spool", "init")
    assert shown.returncode == 1
    assert "schema version 99" in shown.stderr


def test_a_copy_is_refused_where_it_makes_no_sense(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(target: str) -> str:
        shown = run("--config", configured(tmp_path), "spool", "copy", "--to", target)
        assert shown.returncode == 1
        return shown.stderr

    assert "is in the state directory already" in refused("sqlite")
    assert 'must begin with "postgresql://"' in refused("mysql://db")
    assert "has no queue" in refused(database)
    monkeypatch.setenv("GRAPHRELAY_SPOOL__URL", database)
    assert "is in PostgreSQL already" in refused(database)


def test_the_url_may_be_in_a_file_such_as_a_credential(tmp_path: Path, database: str) -> None:
    credential = tmp_path / "spool.url"
    credential.write_text(f"{database}\n")
    config = Path(configured(tmp_path))
    config.write_text(f'{config.read_text()}[spool]\nurl_file = "{credential}"\n')
    shown = run("--config", str(config), "spool", "init")
    assert shown.returncode == 0, shown.stderr
    assert "(was new)" in shown.stdout
    for verb in (("backup", "x.tar"), ("restore", "x.tar")):
        refused = run("--config", str(config), *verb)
        assert refused.returncode == 1
        assert "pg_" in refused.stderr
    credential.write_text("mysql://db")
    refused = run("--config", str(config), "spool", "init")
    assert f'{credential}: must begin with "postgresql://"' in refused.stderr
    credential.unlink()
    assert "spool.url" in run("--config", str(config), "spool", "init").stderr


def test_the_url_of_a_copy_is_better_in_a_file_than_on_the_command_line(
    tmp_path: Path, database: str
) -> None:
    def copied(*to: str) -> tuple[int, str]:
        shown = run("--config", configured(tmp_path), "spool", "copy", *to)
        return shown.returncode, shown.stderr

    file = tmp_path / "spool.url"
    file.write_text(f"{database}&password=secret\n")
    status, said = copied("--to-file", str(file))
    assert (status, "has no queue" in said, "warning" in said) == (1, True, False)
    status, said = copied("--to", f"{database}&password=secret")
    assert "everybody on this machine can read the password" in said
    assert "secret" not in said
    file.write_text("mysql://db")
    assert f'{file}: must begin with "postgresql://"' in copied("--to-file", str(file))[1]
    file.write_bytes(b"\xff")
    assert "not UTF-8" in copied("--to-file", str(file))[1]
    assert copied()[0] == copied("--to", "sqlite", "--to-file", str(file))[0] == 2
