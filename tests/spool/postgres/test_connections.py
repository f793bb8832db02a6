"""What a connection string leaves open is chosen so that mail is safe."""

from psycopg.conninfo import conninfo_to_dict

from graphrelay.spool.postgres.connections import NAME_LENGTH, completed, connect
from tests.spool.postgres_server import PostgresServer


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
