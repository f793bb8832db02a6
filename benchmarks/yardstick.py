"""Bare aiosmtpd with a handler that keeps nothing: what the relay is measured against.

Run as `python -m benchmarks.yardstick`; prints the port, and serves until it is stopped.
"""

import asyncio

from aiosmtpd.smtp import SMTP, Envelope, Session


class Nothing:
    """Accepts mail and discards it."""

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        return "250 OK"


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Nothing(), data_size_limit=40_000_000, loop=loop),
        "127.0.0.1",
        0,
        backlog=1024,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
