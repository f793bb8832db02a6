"""The sockets behind the listeners' addresses: TCP, Unix, and those that systemd hands over.

What is always true here: every failure becomes one sentence with the address, the reason and what
to do (`ListenError`), and no socket is left open.
"""

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from graphrelay.smtp.access.listener import (
    InheritedEndpoint,
    ListenError,
    TcpEndpoint,
    UnixEndpoint,
    endpoint,
)

_FIRST_INHERITED: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
_REASONS: Final = {
    errno.EADDRINUSE: "the address is in use by another program",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "not permitted",
    errno.EPERM: "not permitted",
}
_NO_SUCH_FAMILY: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


async def open_sockets(
    address: str, environment: Mapping[str, str] = os.environ
) -> list[socket.socket]:
    """Bound, not yet listening. Raises `ListenError`."""
    try:
        match endpoint(address):
            case TcpEndpoint(host, port):
                return await _tcp(host, port)
            case UnixEndpoint(path):
                return [_unix(path)]
            case InheritedEndpoint(name):
                return _inherited(name, environment)
    except OSError as error:
        raise ListenError(f"{address}: {_sentence(error)}") from error


def name_of(opened: socket.socket) -> str:
    """`127.0.0.1:2525`, `[::1]:2525` or `unix:/path`."""
    name = opened.getsockname()
    if opened.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    if opened.family == socket.AF_INET:
        return f"{name[0]}:{name[1]}"
    return f"unix:{os.fsdecode(name)}"


def _sentence(error: OSError) -> str:
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    if error.errno == errno.EACCES:
        reason += (
            "; a port below 1024 needs graphrelay.socket or CAP_NET_BIND_SERVICE, "
            "a Unix socket a directory that the relay may write to"
        )
    if error.errno == errno.EADDRINUSE:
        reason += "; stop that program or choose another port"
    return f"cannot listen there: {reason}"


async def _tcp(host: str, port: int) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, kind, protocol, _, where in dict.fromkeys(found):
            try:
                opened.append(_bound(family, kind, protocol, where))
            except OSError as error:
                # `localhost` names ::1 too on machines that have no IPv6.
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = error
        if not opened and missing is not None:
            raise missing
    except BaseException:
        close_all(opened)
        raise
    return opened


def _bound(family: int, kind: int, protocol: int, where: object) -> socket.socket:
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(where)  # type: ignore[arg-type]
    except BaseException:
        opened.close()
        raise
    return opened


def _unix(path: Path) -> socket.socket:
    remove_stale_socket(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.bind(str(path))
        # Any local program may hand in mail, as it may on a loopback port. The permissions of the
        # directory keep out those that must not.
        path.chmod(0o666)
    except BaseException:
        opened.close()
        raise
    return opened


def remove_stale_socket(path: Path) -> None:
    """Remove the socket that a process left at `path` when it died.

    Raises `OSError`, and removes nothing: EEXIST for a file that is not a socket, EADDRINUSE where
    a process listens, EACCES where another user's process may.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of that name, and it is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass  # so many clients wait there that a process must be alive
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _inherited(name: str, environment: Mapping[str, str]) -> list[socket.socket]:
    """sd_listen_fds_with_names(3): the sockets of that name, each duplicated for us."""
    mine = environment.get("LISTEN_PID") == str(os.getpid())
    count = int(environment.get("LISTEN_FDS", "0")) if mine else 0
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += ["unknown"] * (count - len(names))
    numbers = [_FIRST_INHERITED + i for i in range(count) if names[i] == name]
    if not numbers:
        handed = ", ".join(sorted(set(names[:count]))) or "none"
        raise ListenError(
            f"systemd:{name}: systemd handed over no socket of that name (handed over: {handed}); "
            f"give the socket unit FileDescriptorName={name}"
        )
    return [socket.socket(fileno=os.dup(number)) for number in numbers]


def close_all(opened: list[socket.socket]) -> None:
    """Close all of them."""
    for one in opened:
        one.close()
