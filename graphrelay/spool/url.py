"""The connection string of a shared spool, looked at before psycopg is needed.

psycopg is imported only where a queue is shared: it is not part of every installation.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

_SCHEMES = ("postgresql://", "postgres://")
MISSING = "needs psycopg, which is not installed: pip install 'psycopg[binary,pool]'"


class SpoolUrlUnusable(Exception):  # noqa: N818 (a condition, reported to the admin)
    """The file that names the spool does not; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSpool:
    """Where the queue is that several relays share, and how they share it."""

    url: str = field(default="", repr=False)
    url_file: Path | None = None
    """A file with the URL in its place."""
    lease: timedelta
    request_limit: timedelta
    """How long a request of a relay that is gone may still be running."""

    def read_url(self) -> str:
        """Raises `SpoolUrlUnusable`, and `OSError` if the file cannot be read."""
        return self.url if self.url_file is None else url_in(self.url_file)


def url_in(file: Path) -> str:
    """Raises `SpoolUrlUnusable`, and `OSError` if the file cannot be read."""
    try:
        url = file.read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise SpoolUrlUnusable(f"{file}: is not UTF-8") from None
    if text := mistake_in_url(url):
        raise SpoolUrlUnusable(f"{file}: {text}")
    return url


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


def has_password(url: str) -> bool:
    from psycopg.conninfo import conninfo_to_dict

    return "password" in conninfo_to_dict(url)


def described(url: str) -> str:
    """The server and the database, without the password."""
    from psycopg.conninfo import conninfo_to_dict

    found = conninfo_to_dict(url)
    server = found.get("host") or (f"service {found['service']}" if "service" in found else "")
    database = found.get("dbname") or "of the user"
    return f"PostgreSQL, {server or 'the usual server'}, database {database}"
