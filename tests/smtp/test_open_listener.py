"""A listener while it is open: what it opened is closed."""

from pathlib import Path

from graphrelay.smtp.access.listener import Listener
from tests.smtp.reception import serving


async def test_the_file_of_a_socket_that_cannot_be_removed_keeps_nobody_from_stopping(
    tmp_path: Path,
) -> None:
    path = tmp_path / "smtp"
    listeners = Listener(address=f"unix:{path}"), Listener(address="127.0.0.1:0")
    async with serving(*listeners):
        path.unlink()
        path.mkdir()  # root may remove a file anywhere
    assert path.is_dir()
