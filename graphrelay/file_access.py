"""Who may reach a file, by its mode and the modes of the directories above it.

The answer is for messages: the kernel decides at the real access. Access control lists are not
looked at.
"""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

READ, WRITE, ENTER = 4, 2, 1
"""Bits of a mode, as for each of owner, group and others."""


@dataclass(frozen=True, slots=True)
class User:
    """A user as the kernel compares it with a mode."""

    name: str
    uid: int
    gids: frozenset[int]

    @classmethod
    def named(cls, name: str) -> "User":
        """Raises `KeyError` where there is no such user."""
        entry = pwd.getpwnam(name)
        return cls(name, entry.pw_uid, frozenset(os.getgrouplist(name, entry.pw_gid)))

    @classmethod
    def of(cls, uid: int) -> "User":
        """The user of a number, who need not have a name."""
        try:
            return cls.named(pwd.getpwuid(uid).pw_name)
        except KeyError:
            return cls(f"#{uid}", uid, frozenset())

    @classmethod
    def this_process(cls) -> "User":
        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"#{uid}"
        return cls(name, uid, frozenset({os.getegid(), *os.getgroups()}))

    def has(self, bits: int, of: os.stat_result) -> bool:
        if self.uid == 0:
            return True
        if of.st_uid == self.uid:
            return bool(of.st_mode >> 6 & bits)
        shift = 3 if of.st_gid in self.gids else 0
        return bool(of.st_mode >> shift & bits)


def obstacle(path: Path, user: User, bits: int = READ) -> Path | None:
    """The directory that `user` may not enter on the way to `path`, or `path` itself if its mode
    denies `bits`; `None` if nothing is in the way. Raises `OSError` if there is no such file."""
    path = path.absolute()
    for directory in reversed(path.parents):
        if not user.has(ENTER, directory.stat()):
            return directory
    return None if user.has(bits, path.stat()) else path


def advice(path: Path, bits: int = READ) -> str:
    """What a person does who may not open `path`: sudo, or a group that may."""
    user = User.this_process()
    try:
        blocked = obstacle(path, user, bits)
        group = _group_let_in(blocked, bits) if blocked else None
    except OSError:
        group = None
    if group is None:
        return "run it with sudo"
    return (
        f"run it with sudo, or join the group {group} "
        f"(sudo usermod -aG {group} {user.name}, and log in again)"
    )


def _group_let_in(blocked: Path, bits: int) -> str | None:
    """The group that may pass where this process may not; `None` if there is none but root's."""
    found = blocked.stat()
    needed = ENTER if stat.S_ISDIR(found.st_mode) else bits
    if found.st_gid == 0 or not found.st_mode >> 3 & needed:
        return None
    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return None
