"""What a connection string leaves open is chosen so that mail is safe."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict

from graphrelay.journal import Journal
from graphrelay.model import Done, StorageUnavailable
from graphrelay.spool.postgres.connections import NAME_LENGTH, completed, connect
from graphrelay.spool.queries import HistoryOf
from tests.clock import FakeClock
from tests.e2e.kill_nine import free_port
from tests.spool.mail import NOON, a_message, put, relayed
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer, running


def test_a_standby_is_not_taken_and_a_server_that_is_gone_is_noticed() -> None:
    found = conninfo_to_dict(completed("postgresql://a@one,two/mail"))
    assert found["host"] == "one,two"
    assert found["target_session_attrs"] == "read-write"
    assert int(str(found["tcp_user_timeout"])) > 0


def test_what_the_admin_says_counts() -> None:
    found = conninfo_to_dict(completed("postgresql:///mail?connect_timeout=60&sslmode=verify-full"))
    assert (found["connect_timeout"], found["sslmode"]) == ("60", "verify-full")


def test_a_session_has_the_name_of_its_process_after_that_which_the_admin_gives() -> None:
    process = "f" * NAME_LENGTH
    for url, name in (("postgresql:///mail?application_name=mail", "mail"), ("", "graphrelay")):
        assert conninfo_to_dict(completed(url, process))["application_name"] == f"{name} {process}"


async def test_a_session_commits_durably_where_the_server_does_not(
    postgres_server_of_all: PostgresServer,
) -> None:
    for asked, got in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
        options = f"&options=-csynchronous_commit%3D{asked}"
        connection = await connect(postgres_server_of_all.url() + options)
        async with connection:
            found = await connection.execute("SHOW synchronous_commit")
            assert await found.fetchone() == (got,)


_ODD = {
    "DateStyle": "German",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "search_path": "other",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
}


async def test_what_an_admin_has_set_for_the_role_changes_nothing(
    postgres_server_of_all: PostgresServer, database: str, clock: FakeClock, journal: Journal
) -> None:
    server = postgres_server_of_all
    server.execute("CREATE SCHEMA other; CREATE TABLE other.messages (id text)")
    try:
        for name, value in _ODD.items():
            server.execute(f"ALTER ROLE relay SET {name} = '{value}'")
        async with a_relay(database, clock, journal) as spool:
            odd = r"\ ' \' \\ $1 %s ☎ ö" + "\0\udce4"
            (mail,) = await put(spool, bytes(range(256)), a_message(subject=odd))
            number = await spool.begin(mail, NOON, "c")
            await spool.finish(mail, relayed(number), Done("relayed"))
            shown = await spool.read(HistoryOf(mail.queue_id))
            assert shown is not None
            assert shown.subject == odd
        connection = await connect(database)
        async with connection:
            found = await connection.execute("SHOW transaction_isolation")
            assert await found.fetchone() == ("read committed",)
    finally:
        server.execute("ALTER ROLE relay RESET ALL; DROP SCHEMA other CASCADE")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_keep_all_text_is_refused(
    postgres_server_of_all: PostgresServer, encoding: str, clock: FakeClock, journal: Journal
) -> None:
    name = f"in_{encoding.lower()}"
    postgres_server_of_all.execute(
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'"
    )
    with pytest.raises(StorageUnavailable, match=f"encoding {encoding}"):
        async with a_relay(postgres_server_of_all.url(name), clock, journal):
            pass


@pytest.fixture
def tls_server() -> Iterator[tuple[PostgresServer, trustme.CA]]:
    """A server on loopback that offers TLS, and asks for a password there."""
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    with running(port=free_port()) as server:
        server.execute("ALTER ROLE relay PASSWORD 'open sesame'")
        server.keep("server.pem", b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        server.keep("server.key", certificate.private_key_pem.bytes())
        server.options += (
            "ssl=on",
            f"ssl_cert_file={server.folder}/server.pem",
            f"ssl_key_file={server.folder}/server.key",
        )
        server.stop()
        (server.data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
            "hostssl all all ::1/128 scram-sha-256\n"
        )
        server.start()
        yield server, ca


def passfile(folder: Path) -> Path:
    kept = folder / "passfile"
    kept.write_text("*:*:*:relay:open sesame\n")
    kept.chmod(0o600)
    return kept


async def test_the_server_is_verified_as_libpq_does_it(
    tls_server: tuple[PostgresServer, trustme.CA],
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
) -> None:
    server, ca = tls_server
    trusted, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca.cert_pem.write_to_path(str(trusted))
    trustme.CA().cert_pem.write_to_path(str(other))

    def url(host: str, root: Path) -> str:
        return (
            f"postgresql://relay@{host}:{server.port}/postgres?sslmode=verify-full"
            f"&sslrootcert={root}&passfile={passfile(tmp_path)}"
        )

    async with a_relay(url("localhost", trusted), clock, journal) as spool:
        await put(spool)
        rows = server.execute(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            " WHERE application_name LIKE 'graphrelay%'"
        )
        assert set(rows) == {(True,)}
    for wrong in (url("localhost", other), url("127.0.0.1", trusted)):
        with pytest.raises(psycopg.OperationalError, match="certificate"):
            await connect(wrong)


async def test_a_service_file_names_server_and_password(
    tls_server: tuple[PostgresServer, trustme.CA],
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, _ = tls_server
    services = tmp_path / "pg_service.conf"
    services.write_text(
        f"[mail]\nhost=localhost\nport={server.port}\nuser=relay\ndbname=postgres\n"
        "password=open sesame\nsslmode=require\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    async with a_relay("postgresql:///?service=mail", clock, journal) as spool:
        await put(spool)
    services.write_text(services.read_text().replace("sesame", "barley"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await connect("postgresql:///?service=mail")


async def test_a_wrong_password_is_a_server_that_is_away(
    tls_server: tuple[PostgresServer, trustme.CA], clock: FakeClock, journal: Journal
) -> None:
    server, _ = tls_server
    url = f"postgresql://relay:wrong@localhost:{server.port}/postgres?connect_timeout=2"
    with pytest.raises(StorageUnavailable) as refused:
        async with a_relay(url, clock, journal):
            pass
    assert "wrong" not in str(refused.value)
