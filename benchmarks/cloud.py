"""The sandbox with a thousand additional mailboxes, discarding bodies. All of them may send as the
sender of each message of the load.

Run as `python -m benchmarks.cloud PAGE-PORT FOLDER`; it prints a line when it is ready.
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import User, contoso
from graphrelay.sandbox.mailbox_settings import MailSettings

MAILBOXES = tuple(f"shop{number}@contoso.com" for number in range(1000))
_LIMIT = 60_000_000


async def serve(page_port: int, folder: Path) -> None:
    """Until SIGTERM; the configuration of a relay for it is in `folder`."""
    directory = contoso()
    tenant = directory.tenants[0].id
    directory.users += [
        User(upn=name, display_name="Shop", tenant_id=tenant, can_send_as={"wp@contoso.com"})
        for name in MAILBOXES
    ]
    settings = MailSettings(keep_bodies=False, request_limit=_LIMIT, message_limit=_LIMIT)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    folder.mkdir(parents=True)
    async with Sandbox(
        directory, page_port=page_port, directory_path=folder, mail_settings=settings
    ) as cloud:
        config = relay_config(cloud, folder / "state", scenario="any-user")
        (folder / "config.toml").write_text(config, encoding="utf-8")
        print("serving", flush=True)
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # leaves more to the relay
        runner.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
