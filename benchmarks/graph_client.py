"""CPU that one request to Graph costs on our side: messages of 4 kB over TLS to a server on the
same machine, which is a separate process and does next to nothing, four requests at a time.

    python -m benchmarks.graph_client --runs 5
    python -m benchmarks.graph_client --beside ../before       another checkout, in turns with this

Bare streams are the yardstick: the same octets, without any checks. Trust the ratios.
"""

import argparse
import asyncio
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
import uvloop

from benchmarks.figures import head, median, row

ROOT = Path(__file__).resolve().parents[1]
WARM_UP, MEASURED, AT_ONCE = 200, 3000, 4
MESSAGE = b"Subject: Hello\r\n\r\n" + b"x" * 3980
ANSWER = (
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nServer: Microsoft-IIS/10.0\r\n"
    b"Strict-Transport-Security: max-age=31536000\r\nrequest-id: 5f0a\r\n"
    b"client-request-id: 5f0a\r\nx-ms-ags-diagnostic: {}\r\nDate: Mon, 30 Nov 2026 06:00:00 GMT\r\n"
    b"\r\n"
)
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_client", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each figure (default: 5)")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turns")
    given = parser.parse_args()
    clients = {"bare streams": ("bare", ROOT), "graphrelay": ("graph", ROOT)}
    if given.beside:
        clients[str(given.beside)] = ("graph", given.beside.resolve())
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            _command("serve", folder), env=_environment(ROOT), stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        try:
            _compare(clients, folder, port, given.runs)
        finally:
            server.terminate()


def _compare(clients: dict[str, tuple[str, Path]], folder: str, port: str, runs: int) -> None:
    found: dict[tuple[str, str], list[int]] = {}
    for _ in range(runs):
        for name, (kind, checkout) in clients.items():
            for loop in LOOPS:
                said = subprocess.check_output(
                    _command(kind, folder, loop, port),
                    env=_environment(checkout),
                    text=True,
                )
                found.setdefault((name, loop), []).append(int(said))
    head("client", "CPU us a request: median", "least", "most")
    for (name, loop), figures in found.items():
        row(f"{name}, {loop}", round(median(figures)), min(figures), max(figures))


def _command(*arguments: str) -> list[str]:
    return [sys.executable, __file__, *arguments]


def _environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"}


# The server ----------------------------------------------------------------------------------


async def _serve(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# The clients ---------------------------------------------------------------------------------


class _Message:
    size = len(MESSAGE)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield MESSAGE


async def _graph(port: int, ca: Path) -> None:
    from graphrelay.clock import SystemClock
    from graphrelay.graph.client import GraphClient
    from graphrelay.graph.clouds import custom_cloud
    from graphrelay.graph.session import MailboxSession, Mime
    from graphrelay.graph.tls import client_context
    from graphrelay.model import Delayed, Lane, Paused, Relayed

    class Tokens:
        async def bearer_token(
            self, account: str, *, refused: str = "", challenge: str = ""
        ) -> str | Paused | Delayed:
            return "x" * 1500

    url = f"https://localhost:{port}"
    graph = GraphClient(
        custom_cloud(url, url),
        client_context(ca),
        Tokens(),
        lambda lane: lane.mailbox,
        SystemClock(),
    )

    async def one() -> None:
        session = await graph.session(Lane("website", "wp@contoso.com"))
        assert isinstance(session, MailboxSession)
        assert isinstance(await session.send(Mime(_Message())), Relayed)

    await _measure(one)
    await graph.aclose()


async def _bare(port: int, ca: Path) -> None:
    tls = ssl.create_default_context(cafile=ca)
    free = [await asyncio.open_connection("localhost", port, ssl=tls) for _ in range(AT_ONCE)]
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1700 + b"\r\nContent-Length: 5332\r\n\r\n"

    async def one() -> None:
        connection = free.pop()
        connection[1].write(head + b"x" * 5332)
        await connection[0].readuntil(b"\r\n\r\n")
        free.append(connection)

    await _measure(one)
    for _, writer in free:
        writer.close()


async def _measure(one: Callable[[], Awaitable[None]]) -> None:
    async def many(count: int) -> None:
        left = iter(range(count))

        async def lane() -> None:
            for _ in left:
                await one()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(lane())

    await many(WARM_UP)
    began = time.process_time()
    await many(MEASURED)
    print(round((time.process_time() - began) / MEASURED * 1e6))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", folder]:
            asyncio.run(_serve(Path(folder)))
        case ["graph" | "bare" as kind, folder, loop, port]:
            client = _graph if kind == "graph" else _bare
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                runner.run(client(int(port), Path(folder, "ca.pem")))
        case _:
            main()
