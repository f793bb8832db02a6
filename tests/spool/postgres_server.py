"""A PostgreSQL of the tests' own: Debian's package, in a temporary folder, on a Unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from tests.tools import needs

_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=on")


def _user() -> dict[str, Any]:
    """The user that runs it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam("postgres")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


@dataclass(slots=True)
class PostgresServer:
    """Started by `running`. Listens on the socket in `folder`, and on a port if it is given one."""

    folder: Path
    options: tuple[str, ...] = _QUICK
    port: int | None = None
    """Where it listens on loopback, besides its socket."""
    _programs: Path = field(init=False)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        needs("postgresql")
        folders = Path("/usr/lib/postgresql").glob("*/bin")
        self._programs = max(folders, key=lambda folder: int(folder.parent.name))

    def keep(self, name: str, octets: bytes) -> Path:
        """A file that only the server's user can read, as it wants the key of its certificate."""
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(0o600)
        if (user := _user()) != {}:
            os.chown(path, user["user"], user["group"])
        return path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://relay@/{database}?host={self.folder}&port={self.port or 5432}"

    def make(self) -> None:
        """An empty cluster."""
        subprocess.run(
            [
                self._programs / "initdb", "-D", self.data, "-U", "relay", "-A", "trust",
                "-E", "UTF8", "--locale=C", "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **_user(),
        )  # fmt: skip

    def start(self) -> None:
        options = (
            f"unix_socket_directories={self.folder}",
            f"listen_addresses={'127.0.0.1' if self.port else ''}",
            f"port={self.port or 5432}",
            *self.options,
        )
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self.data,
                    *(word for option in options for word in ("-c", option)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                **_user(),
            )  # fmt: skip
        self.wait()

    def copy_of(self, primary: "PostgresServer") -> None:
        """Be its standby, once started."""
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(
            [
                self._programs / "pg_basebackup", "-D", self.data, "-d", primary.url(),
                "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
            ],
            check=True,
            cwd="/",
            **_user(),
        )  # fmt: skip

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it at once; with SIGKILL also its children, which have no time to do anything."""
        if self._process is None:
            return
        children = self._children() if how is signal.SIGKILL else []
        self._process.send_signal(how)
        self._process.wait()
        self._process = None
        for child in children:
            with suppress(ProcessLookupError):  # it ends by itself without its parent
                os.kill(child, signal.SIGKILL)

    def _children(self) -> list[int]:
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """For statements that a test executes directly."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            # Not by `description`: a SELECT without columns has rows, and none.
            found = cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK
            return cursor.fetchall() if found else []


@contextmanager
def a_server(
    options: tuple[str, ...] = _QUICK, port: int | None = None
) -> Iterator[PostgresServer]:
    """Neither made nor started; in the end it is stopped and forgotten."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if (user := _user()) != {}:
            os.chown(folder, user["user"], user["group"])
        server = PostgresServer(folder, options, port)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def running(options: tuple[str, ...] = _QUICK, port: int | None = None) -> Iterator[PostgresServer]:
    with a_server(options, port) as server:
        server.make()
        server.start()
        yield server
