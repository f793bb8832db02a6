"""A web server on loopback that keeps what is posted and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Receiver:
    url: str = ""
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    """Status, text and headers for the next requests; after them 200."""
    posted: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hang: asyncio.Event | None = None
    """Answers wait for it."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first request."""

    async def take(self, request: web.Request) -> web.Response:
        self.posted.append(await request.json())
        self.headers.append(dict(request.headers))
        self.asked.set()
        if self.hang:
            await self.hang.wait()
        status, text, headers = self.answers.pop(0) if self.answers else (200, "ok", {})
        return web.Response(status=status, text=text, headers=headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/services/T0/B0/geheim1234"
    try:
        yield receiver
    finally:
        await runner.cleanup()
