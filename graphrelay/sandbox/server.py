"""The sandbox's servers: one HTTPS port for Entra ID and Graph, as one `async with` block.

Each half mounts its own routes with `register(app, cloud)`; the common part is here: every request
is recorded, and faults strike it before and after it is processed.

    async with Sandbox() as cloud:
        cloud.login_url   https://localhost:PORT     /{tenant}/oauth2/v2.0/...
        cloud.graph_url   https://localhost:PORT     /v1.0/...
"""

import asyncio
import ssl
import tempfile
import zlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType

from aiohttp import web
from multidict import CIMultiDict

from graphrelay.sandbox import entra, graph, imds, page
from graphrelay.sandbox.certificates import make_certificates
from graphrelay.sandbox.cloud import Cloud, Recorded
from graphrelay.sandbox.directory import Directory
from graphrelay.sandbox.faults import (
    Answer,
    AnswerAfter,
    Compressed,
    CutAfter,
    CutBefore,
    Delay,
    Endless,
    ExtraHeaders,
    Stall,
)
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.tokens import Principal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Register = Callable[[web.Application, Cloud], None]

PARTS: tuple[Register, ...] = (entra.register, graph.register)
"""What is mounted on the HTTPS port: the Entra half and the Graph half."""
PAGES: tuple[Register, ...] = (page.register,)
"""What is mounted on the page's plain HTTP port, where one was asked for: for people."""
LARGEST_REQUEST = 5_000_000
"""Octets of a request's body that are read, unless Graph is set up to take more; the halves have
stricter limits of their own."""


class Sandbox(Cloud):
    """The cloud while it is served: start it with `async with`."""

    def __init__(
        self,
        directory: Directory | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        page_port: int | None = None,
        now: Callable[[], datetime] | None = None,
        directory_path: Path | None = None,
        mail_settings: MailSettings | None = None,
    ) -> None:
        super().__init__(
            directory, port=port, page_port=page_port, now=now, mail_settings=mail_settings
        )
        self._host = host
        self._directory_path = directory_path
        self._stack = AsyncExitStack()

    # Life --------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Sandbox":
        async with AsyncExitStack() as stack:
            folder = self._directory_path
            if folder is None:
                made = tempfile.TemporaryDirectory(prefix="graphrelay-sandbox-")
                folder = Path(stack.enter_context(made))
            certificates = make_certificates(folder)
            self.ca_file = certificates.ca_file
            self._port = await self._serve(stack, PARTS, self._port, certificates.server)
            self._imds_port = await self._serve(stack, (imds.register,), 0, None)
            if self._page_port is not None:
                self._page_port = await self._serve(stack, PAGES, self._page_port, None)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.clear()
        await self._stack.aclose()

    async def _serve(
        self,
        stack: AsyncExitStack,
        parts: tuple[Register, ...],
        port: int,
        tls: ssl.SSLContext | None,
    ) -> int:
        """Serve `parts` until the stack is closed; the port, which was chosen if it was 0."""
        middlewares = [] if parts is PAGES else [self._strike]
        largest = max(LARGEST_REQUEST, self.mailboxes.settings.request_limit + 1)
        app = web.Application(client_max_size=largest, middlewares=middlewares)
        for register in parts:
            register(app, self)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, keepalive_timeout=75)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._host, port, ssl_context=tls, backlog=1024).start()
        return int(runner.addresses[0][1])

    # What holds for every request --------------------------------------------------------------

    @web.middleware
    async def _strike(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 0
        try:
            response = await (self._under_faults if self.faults else _plainly)(request, handler)
            status = 0 if isinstance(response, _Cut) else response.status
            return response
        finally:
            self.requests.append(Recorded(request.method, request.path, status, self.now()))

    async def _under_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        came = asyncio.get_running_loop().time()
        take = partial(
            self.faults.take,
            method=request.method,
            path=request.path,
            mailbox=self._mailbox_names(request),
        )
        # The Graph half waits by itself, within its gate, so that waiting requests are counted.
        waits_itself = getattr(request.match_info.handler, "waits_itself", False)
        if not waits_itself and (stall := take(Stall)):
            await self.faults.while_on(stall)
        if take(CutBefore):
            return _cut(request)
        if endless := take(Endless):
            return await _endless(request, endless)
        if instead := take(Answer):
            return _answer(instead)
        response = await _plainly(request, handler)
        if not waits_itself and (delay := take(Delay)):
            await delay.hold_back(came)
        if take(CutAfter):
            return _cut(request)
        if after := take(AnswerAfter):
            return _answer(after)
        if compressed := take(Compressed):
            return _compressed(response, compressed)
        if extra := take(ExtraHeaders):
            response.headers.extend(extra.headers)
        return response

    def _mailbox_names(self, request: web.Request) -> tuple[str, ...]:
        """Every name of the mailbox that the URL names, else of the one who signed in."""
        match request.path.split("/")[2:4]:
            case ["users", name]:
                user = self.directory.user(name)
            case _:
                bearer = request.headers.get("Authorization", "").partition(" ")[2]
                principal = self.tokens.principal_of(bearer)
                holder = principal.oid if isinstance(principal, Principal) else ""
                user = self.directory.user(holder)
        return (user.oid, user.upn, *user.addresses) if user else ()


class _Cut(web.Response):
    """Stands for the answer that never came."""


def _cut(request: web.Request) -> _Cut:
    if request.transport is not None:
        request.transport.abort()
    return _Cut()


def _answer(fault: Answer | AnswerAfter) -> web.Response:
    headers = CIMultiDict([("Content-Type", fault.content_type), *fault.headers])
    return web.Response(status=fault.status, body=fault.body.encode(), headers=headers)


async def _endless(request: web.Request, fault: Endless) -> web.StreamResponse:
    """Returns when the connection ends. Whatever the client still sends is read, so that it can
    end."""
    response, transport = web.StreamResponse(), request.transport
    try:
        async for _ in request.content.iter_any():
            pass
        if fault.what != "informational":
            await response.prepare(request)
        while transport is not None and not transport.is_closing():
            match fault.what:
                case "informational":
                    transport.write(_PROCESSING * 100)
                case "octets":
                    await response.write(b" ")
                case "body":
                    await response.write(b" " * 16_384)
            await asyncio.sleep(fault.seconds if fault.what == "octets" else 0.001)
    except ConnectionError:
        pass
    return _cut(request)


def _compressed(response: web.StreamResponse, fault: Compressed) -> web.StreamResponse:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    packed = [packer.compress(b" " * 1_000_000) for _ in range(fault.padding // 1_000_000)]
    packed += [packer.compress(b" " * (fault.padding % 1_000_000) + response.body), packer.flush()]
    response.body = b"".join(packed)
    response.headers["Content-Encoding"] = "gzip"
    return response


_PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


async def _plainly(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
