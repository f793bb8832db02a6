"""A mail server on a machine of its own: paths and users that are compiled into such programs do
not exist where tests run, or belong to another program.

The program sees an /etc, a /var and a /run that were made for it (mount_namespaces(7)), and itself,
unpacked and not installed, in /run/program. Its processes are numbered anew (pid_namespaces(7)), so
that all of them end with the first. Nothing of this machine is changed, and of its settings none is
read; the network is its own. That takes root.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from benchmarks.processes import Process
from tests.tools import machine_cannot, needs_root

_ISOLATE = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child")
_MOUNT = """
for part in etc var run; do mount --bind "$1/$part" "/$part"; done
mount --bind "$2" /run/program
shift 2
exec "$@"
"""
_ETC = {
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "lookup file\n",
}


@dataclass(frozen=True, slots=True)
class User:
    """One that the program insists on, with a group of the same name."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """What the program finds: `folder`/etc and so on."""

    folder: Path
    package: Path
    """With usr/sbin and so on in it."""

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """A file, by the path that it has there."""
        place = self._at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
        place.chmod(mode)

    def make_folder(self, path: str, *, owner: User | None = None, mode: int = 0o755) -> None:
        place = self._at(path)
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(mode)
        if owner:
            os.chown(place, owner.number, owner.number)

    @contextmanager
    def running(self, *command: str, stdin: socket.socket | None = None) -> Iterator[Process]:
        """The program, in the foreground."""
        with (self.folder / "said").open("ab") as said:
            process = subprocess.Popen(
                [*_ISOLATE, *("sh", "-ec", _MOUNT, "sh"), self.folder, self.package, *command],
                stdin=subprocess.DEVNULL if stdin is None else stdin.fileno(),
                stdout=said,
                stderr=said,
                text=True,
            )
        try:
            yield process
        except BaseException as error:
            error.add_note(self.said())
            raise
        finally:
            # The first process ends when the last one has, and `unshare` then.
            if process.poll() is None:
                for first in psutil.Process(process.pid).children():
                    first.kill()
            process.wait(20)

    def said(self) -> str:
        """What the program printed and logged, for finding out why something failed."""
        logs = [self.folder / "said", *(self.folder / "var" / "log").rglob("*")]
        return "".join(log.read_text(errors="replace") for log in logs if log.is_file())

    def _at(self, path: str) -> Path:
        return self.folder / path.removeprefix("/")


def own_machine(folder: Path, package: Path, *users: User) -> OwnMachine:
    """Made in `folder`, which the program's users need not be able to reach."""
    needs_root()
    if problem := _problem():
        machine_cannot("namespaces", problem)
    machine = OwnMachine(folder, package)
    for part in ("/etc", "/var/log", "/run/program"):
        machine.make_folder(part)
    (folder / "var" / "run").symlink_to("/run")
    for name, text in _ETC.items():
        machine.write(f"/etc/{name}", text)
    people = (User("root", 0), *users)
    passwd = (f"{one.name}:x:{one.number}:{one.number}::/:/bin/false\n" for one in people)
    machine.write("/etc/passwd", "".join(passwd))
    machine.write("/etc/group", "".join(f"{one.name}:x:{one.number}:\n" for one in people))
    return machine


@cache
def _problem() -> str:
    """Why none can be made; empty if one can."""
    tried = [*_ISOLATE, "mount", "--bind", "/run", "/run"]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr or "no namespaces"
