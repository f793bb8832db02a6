"""A real WordPress on a database of its own: Debian's package, unpacked, and MariaDB on a Unix
socket in a temporary folder. Nothing of it touches the machine's own settings or data."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.pages import blocks, changed
from tests.clients.programs import run
from tests.tools import needs

SCRIPTS = Path(__file__).with_name("wordpress")


@dataclass(frozen=True, slots=True)
class Site:
    """An installed WordPress."""

    php: Path
    environment: Mapping[str, str]

    async def call(
        self,
        function: str,
        *arguments: object,
        smtp: tuple[str, int] | None = None,
        sendmail: str | None = None,
    ) -> None:
        """Call a function of WordPress; its mail goes to `smtp`, or by mail() into `sendmail`."""
        where = {"SITE_SMTP_HOST": smtp[0], "SITE_SMTP_PORT": str(smtp[1])} if smtp else {}
        await run(
            self.php,
            *(["-d", f"sendmail_path={sendmail}"] if sendmail else []),
            SCRIPTS / "call.php",
            stdin=json.dumps({"call": function, "with": arguments}).encode(),
            env={**self.environment, **where},
        )


def plugin() -> str:
    """The code of the documentation, for a port that each call chooses; without one, WordPress goes
    on using mail()."""
    (code,) = blocks("wordpress", "php")
    where = {"'127.0.0.1'": "getenv('SITE_SMTP_HOST')", "2525": "(int) getenv('SITE_SMTP_PORT')"}
    start = {"<?php\n": "<?php\nif (!getenv('SITE_SMTP_PORT')) { return; }\n"}
    return changed(code, **where, **start)


@contextmanager
def installed(folder: Path) -> Iterator[Site]:
    """WordPress as it is after the famous five minutes."""
    for part in ("php-mysql", "php-mbstring", "php-xml"):
        needs(part)
    php, wordpress, mariadbd = needs("php"), needs("wordpress").parent, needs("mariadb")
    content = folder / "content"
    (content / "mu-plugins").mkdir(parents=True)
    (content / "mu-plugins" / "graphrelay.php").write_text(plugin(), "utf-8")
    with database(mariadbd, folder) as socket:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "SITE_WORDPRESS": str(wordpress),
            "SITE_CONTENT": str(content),
            "SITE_DATABASE_SOCKET": str(socket),
        }
        done = subprocess.run(
            [php, SCRIPTS / "install.php"], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        yield Site(php, environment)


@contextmanager
def database(mariadbd: Path, folder: Path) -> Iterator[Path]:
    """MariaDB, with nothing synced to disk: it lives as long as the tests. Yields its socket."""
    (folder / "data").mkdir()
    create = folder / "create.sql"
    create.write_text("CREATE DATABASE wordpress CHARACTER SET utf8mb4;\n")
    socket, log = folder / "socket", folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [
                *(mariadbd, "--no-defaults", f"--datadir={folder / 'data'}", f"--socket={socket}"),
                *("--skip-networking", "--skip-grant-tables", f"--init-file={create}"),
                *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"),
                *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=4M"),
                *(f"--pid-file={folder / 'pid'}", "--character-set-server=utf8mb4"),
                *(["--user=root"] if os.geteuid() == 0 else []),
            ],
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 30
        while b"ready for connections" not in log.read_bytes():
            alive = server.poll() is None and time.monotonic() < deadline
            assert alive, log.read_text("utf-8", "replace")
            time.sleep(0.02)
        yield socket
    finally:
        server.terminate()
        server.wait(30)
