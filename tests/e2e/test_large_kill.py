"""kill -9 while a large message is on its way: the next process continues where it stopped."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import Delay, Fault, Stall
from tests.e2e.kill_nine import Daemon, free_port
from tests.e2e.large import DELIVERY, LARGE, file, letter, part, settings
from tests.relay.deliver.conftest import struck
from tests.relay.deliver.test_by_draft import pieces

__all__ = ["pieces", "struck"]

SIZES = {"a.pdf": 2_000, "b.pdf": 250_000}
UPLOAD = "/api/v2.0/"
BETWEEN_PIECES: list[tuple[Fault, list[str]]] = [
    (Stall(path=UPLOAD, every=2), ["0", "100000", "200000"]),
    (Delay(path=UPLOAD, every=2, times=1, seconds=60), ["0", "100000", "0", "100000", "200000"]),
]
"""The second piece has not come, or has come and its answer was not heard: then it is not known
where the session stands, and the attachment is uploaded anew."""


@pytest.mark.parametrize(("fault", "starts"), BETWEEN_PIECES)
async def test_killed_between_pieces_the_attachment_is_there_once_and_one_message_arrives(
    tmp_path: Path, pieces: list[str], struck: asyncio.Event, fault: Fault, starts: list[str]
) -> None:
    message = letter(*(part(name, size) for name, size in SIZES.items()))
    async with Sandbox(mail_settings=settings()) as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        port = free_port()
        config = relay_config(cloud, tmp_path / "state", f"127.0.0.1:{port}", "any-user", LARGE)
        daemon = Daemon(tmp_path, config + DELIVERY + 'retry_min = "1s"\n')
        try:
            await daemon.authorize()
            await daemon.start()
            cloud.faults.on(fault)
            await greeted(port)
            await asyncio.to_thread(send, port, message)
            async with asyncio.timeout(20):
                await struck.wait()
            await daemon.kill()
            cloud.faults.clear()
            await daemon.start()
            (mail,) = await cloud.mailboxes.arrived(1, timeout=30)
            while await daemon.waiting():
                pass
            await daemon.stop()
        finally:
            await daemon.abandon()
        assert len(cloud.mailboxes.submitted) == 1
    found = [(one.name, one.content) for one in mail.content.attachments]
    assert found == [
        (name, file(name, size)) for name, size in (("a.pdf", 2_000), ("b.pdf", 250_000))
    ]
    assert mail.received == ("alice@contoso.com",)
    assert [piece.split()[1].split("-")[0] for piece in pieces] == starts


async def greeted(port: int) -> None:
    """Wait until a server listens there."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def send(port: int, message: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("wp@contoso.com", ["alice@contoso.com"], message)
