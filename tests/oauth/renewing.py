"""One account's authorization, renewed by a separate process that may be killed at any step.

    python -m tests.oauth.renewing STATE LOGIN_URL GRAPH_URL CA_FILE TIMES [STEP]

Renews TIMES times and prints a line for each. With STEP, the process kills itself before that step
of the first renewal; a step is a request to Entra, its answer, or a change of the disk.
"""

import asyncio
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
from graphrelay.oauth.answers import Granted
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.tokens.keeper_here import KeeperHere
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.vault import Vault, open_vault
from tests.oauth.conftest import WEBSITE, files_only


def manager(state: Path, login_url: str, graph_url: str, ca_file: str) -> TokenManager:
    """As the daemon makes it, on the machine's clock."""
    clock, cloud = SystemClock(), TokenCloud(login_url, graph_url)

    def open_(_: object = None) -> Vault:
        return open_vault(state, "file", files_only(state))

    return TokenManager(
        [WEBSITE],
        cloud,
        KeeperHere(cloud, open_(), Http(ssl.create_default_context(cafile=ca_file)), clock, open_),
        clock,
        Journal(clock),
    )


def kill_before(step: int) -> None:
    """The one with this number, counted from 0."""
    left = step

    def a_step() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def mortal(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if threading.current_thread().name == "vault":
                a_step()
            return real(*args, **more)

        return call

    os.fsync = mortal(os.fsync)
    os.link = mortal(os.link)
    Path.replace = mortal(Path.replace)  # type: ignore[method-assign]
    Path.unlink = mortal(Path.unlink)  # type: ignore[method-assign]
    send = httpx.Client.send

    def ask(self: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        if not request.url.path.endswith("/token"):
            return send(self, request, **more)
        a_step()
        answer = send(self, request, **more)
        a_step()
        return answer

    httpx.Client.send = ask  # type: ignore[method-assign]


async def main(state: str, login_url: str, graph_url: str, ca_file: str, *rest: str) -> None:
    tokens = manager(Path(state), login_url, graph_url, ca_file)
    times, *step = map(int, rest)
    for number in step:
        kill_before(number)
    for _ in range(times):
        answer = await tokens.token("website", fresh=True)
        assert isinstance(answer, Granted), answer
        print("renewed", flush=True)
    await tokens.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
