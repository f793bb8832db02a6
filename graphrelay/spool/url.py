"""The connection string of a shared spool, looked at before psycopg is needed.

psycopg is imported only where a queue is shared: it is not part of every installation.
"""

from importlib.util import find_spec

_SCHEMES = ("postgresql://", "postgres://")
MISSING = "needs psycopg, which is not installed: pip install 'graphrelay[postgres]'"


class SpoolUrlUnusable(Exception):  # noqa: N818 (a condition, reported to the admin)
    """The file that names the spool does not; the text says why."""


def mistake_in_url(url: str) -> str:
    """What is wrong with it; empty where it can be used. Never shows a password."""
    if not url.startswith(_SCHEMES):
        return 'must begin with "postgresql://"'
    if find_spec("psycopg") is None or find_spec("psycopg_pool") is None:
        return MISSING
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its text may show the password
        return "is no connection string of PostgreSQL"
    return ""


def described(url: str) -> str:
    """The server and the database, without the password."""
    from psycopg.conninfo import conninfo_to_dict

    found = conninfo_to_dict(url)
    server = found.get("host") or (f"service {found['service']}" if "service" in found else "")
    database = found.get("dbname") or "of the user"
    return f"PostgreSQL, {server or 'the usual server'}, database {database}"
