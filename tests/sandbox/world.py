"""Users and programs in the sandbox's cloud that hold tokens, and what they send."""

import base64
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT, PUBLIC_CLIENT, App


@dataclass
class Graph:
    """Graph as one principal sees it."""

    http: httpx.AsyncClient

    async def send(self, octets: bytes, mailbox: str = "me", **headers: str) -> httpx.Response:
        """POST sendMail with MIME."""
        return await self.http.post(
            f"/{'me' if mailbox == 'me' else f'users/{mailbox}'}/sendMail",
            content=base64.b64encode(octets),
            headers={"Content-Type": "text/plain", **headers},
        )

    async def send_json(
        self, message: dict[str, Any], mailbox: str = "me", **rest: Any
    ) -> httpx.Response:
        path = f"/{'me' if mailbox == 'me' else f'users/{mailbox}'}/sendMail"
        return await self.http.post(path, json={"message": message, **rest})


class World:
    """Makes clients for the principals that a test needs."""

    def __init__(self, cloud: Sandbox, stack: AsyncExitStack) -> None:
        self.cloud = cloud
        self._stack = stack

    async def user(self, upn: str = "wp@contoso.com", scopes: str = "Mail.Send") -> Graph:
        user = self.cloud.directory.user(upn)
        assert user is not None
        issued = self.cloud.tokens.for_user(self._app(PUBLIC_CLIENT), user, scopes.split())
        return await self.holder_of(issued.token)

    async def application(self, roles: str | None = None) -> Graph:
        app = self._app(CONFIDENTIAL_CLIENT)
        if roles is not None:
            app.roles = set(roles.split())
        return await self.holder_of(self.cloud.tokens.for_app(app, app.tenant_id).token)

    async def holder_of(self, token: str | None) -> Graph:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        client = httpx.AsyncClient(
            base_url=f"{self.cloud.graph_url}/v1.0",
            headers=headers,
            trust_env=False,
            verify=ssl.create_default_context(cafile=self.cloud.ca_file),
            timeout=10,
        )
        return Graph(await self._stack.enter_async_context(client))

    def _app(self, client_id: str) -> App:
        app = self.cloud.directory.app(client_id)
        assert app is not None
        return app


def message(
    to: str = "you@example.org",
    *lines: str,
    sender: str = "wp@contoso.com",
    body: str = "Hello\r\n",
) -> bytes:
    """A small message; more header lines may be given."""
    head = [
        f"From: {sender}",
        f"To: {to}",
        "Subject: Test",
        "Message-ID: <1@example.org>",
        "Date: Mon, 23 Nov 2026 12:00:00 +0000",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def code_of(answer: httpx.Response) -> str:
    """Graph's error code."""
    return str(answer.json()["error"]["code"])
