"""A listener while it is open: what it opened is closed."""

from pathlib import Path
from typing import Any

import pytest

from graphrelay.smtp.access.listener import Listener
from tests.smtp.reception import serving, until


async def test_the_file_of_a_socket_that_cannot_be_removed_keeps_nobody_from_stopping(
    tmp_path: Path,
) -> None:
    path = tmp_path / "smtp"
    listeners = Listener(address=f"unix:{path}"), Listener(address="127.0.0.1:0")
    async with serving(*listeners):
        path.unlink()
        path.mkdir()  # root may remove a file anywhere
    assert path.is_dir()


async def test_a_conversation_that_cannot_be_noted_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(set[Any]):
        def add(self, element: Any) -> None:
            super().add(element)
            raise MemoryError

    conversations = Full()
    async with serving(Listener(address="127.0.0.1:0")) as house:
        with monkeypatch.context() as short:
            short.setattr(house.server, "_tasks", conversations)
            async with await house.connect() as client:
                assert await client.is_closed()
        (task,) = conversations
        await until(task.done)
        assert not house.server._connections
        async with await house.connect() as client:
            assert (await client.reply()).startswith("220")
