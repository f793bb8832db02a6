"""The yardstick for relaying: the same requests over four connections, with nothing prepared or
kept.

Its speed is the limit set by a cloud on the same machine, whose answers take a little longer than
the configured delay.
"""

import asyncio
import base64
import json
import ssl
import time
import tomllib
import urllib.parse
import urllib.request
from typing import Any

from benchmarks.servers import Cloud


def bare_requests(of: Cloud, mailbox: str, messages: int, size: int, at_once: int) -> float:
    """Messages a second."""
    settings = tomllib.loads((of.folder / "config.toml").read_text("utf-8"))
    tls = ssl.create_default_context(cafile=settings["cloud"]["ca_file"])
    graph, token = settings["cloud"]["graph_url"], _token(settings, tls)
    url = urllib.parse.urlsplit(graph)
    head = (
        f"POST /v1.0/users/{mailbox}/sendMail HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: text/plain\r\nContent-Length: "
    )
    requests = [head.encode() + _body(mailbox, number, size) for number in range(messages)]
    return asyncio.run(_rate(url.hostname or "", url.port or 443, tls, requests, at_once))


async def _rate(
    host: str, port: int, tls: ssl.SSLContext, requests: list[bytes], at_once: int
) -> float:
    left = iter(requests)

    async def one_after_the_other() -> None:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        for request in left:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 202"), answer
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(one_after_the_other())
    return len(requests) / (time.perf_counter() - began)


def _body(mailbox: str, number: int, size: int) -> bytes:
    head = f"From: {mailbox}\r\nTo: a@example.org\r\nMessage-ID: <bare-{number}@bench>\r\n\r\n"
    mime = base64.b64encode(head.encode() + b"x" * (size - len(head)))
    return b"%d\r\n\r\n" % len(mime) + mime


def _token(settings: dict[str, Any], tls: ssl.SSLContext) -> str:
    account = settings["accounts"]["website"]
    asked = {
        "grant_type": "client_credentials",
        "client_id": account["client_id"],
        "client_secret": account["client_secret"],
        "scope": f"{settings['cloud']['graph_url']}/.default",
    }
    where = f"{settings['cloud']['login_url']}/{account['tenant']}/oauth2/v2.0/token"
    with urllib.request.urlopen(
        where, urllib.parse.urlencode(asked).encode(), context=tls
    ) as answer:
        return str(json.load(answer)["access_token"])
