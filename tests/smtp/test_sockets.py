"""Sockets behind addresses: in use, left behind, or handed over by systemd."""

import os
import re
import socket
import stat
from pathlib import Path

import pytest

from graphrelay.smtp.access.listener import ListenError
from graphrelay.smtp.sockets import close_all, name_of, open_sockets


async def test_an_address_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ListenError, match=f"{taken}: .*in use by another program"):
            await open_sockets(taken)


async def test_a_socket_is_named_as_the_configuration_names_it(tmp_path: Path) -> None:
    for address, pattern in (
        ("127.0.0.1:0", r"127\.0\.0\.1:[1-9][0-9]*"),
        (f"unix:{tmp_path}/smtp", f"unix:{re.escape(str(tmp_path))}/smtp"),
    ):
        opened = await open_sockets(address)
        assert re.fullmatch(pattern, name_of(opened[0]))
        close_all(opened)


async def test_any_user_may_connect_to_a_unix_socket(tmp_path: Path) -> None:
    close_all(await open_sockets(f"unix:{tmp_path}/smtp"))
    assert stat.S_IMODE((tmp_path / "smtp").stat().st_mode) == 0o666


async def test_the_socket_of_a_killed_relay_is_replaced_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "smtp"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    (opened,) = await open_sockets(f"unix:{path}")
    with opened:
        opened.listen()
        with pytest.raises(ListenError, match="in use"):
            await open_sockets(f"unix:{path}")
    assert path.exists()


async def test_a_file_in_the_place_of_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="no socket"):
        await open_sockets(f"unix:{path}")
    assert path.read_text() == "data"


async def test_sockets_of_systemd_are_found_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as handed:
        number = handed.getsockname()[1]
        # systemd hands over from number 3 on, where pytest has files of its own: count up to ours.
        names = ["other"] * (handed.fileno() - 3) + ["smtp"]
        environment = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(names)),
            "LISTEN_FDNAMES": ":".join(names),
        }
        (found,) = await open_sockets("systemd:smtp", environment)
        with found:
            assert found.getsockname()[1] == number
        with pytest.raises(ListenError, match="handed over: none"):
            await open_sockets("systemd:smtp", environment | {"LISTEN_PID": str(os.getpid() + 1)})
        with pytest.raises(ListenError, match="FileDescriptorName=mail"):
            await open_sockets("systemd:mail", environment)
