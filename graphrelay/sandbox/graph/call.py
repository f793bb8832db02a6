"""One request to Graph: the caller, the mailbox, and reading the body.

Every answer carries the headers that Microsoft's support asks for; `request-id` is new each time,
`client-request-id` comes back as it was sent if it is a GUID.
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.directory import User
from graphrelay.sandbox.faults import Fault
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.faults import CutMidBody, OversizeAnswer
from graphrelay.sandbox.tokens import Principal

FaultType = TypeVar("FaultType", bound=Fault)

_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_DIAGNOSTIC = (
    '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"0","ScaleUnit":"000",'
    '"RoleInstance":"GRAPHRELAY"}}'
)
METADATA = "https://graph.microsoft.com/v1.0/$metadata"


class ConnectionCut(Exception):  # noqa: N818 (an event, not a mistake)
    """The connection was closed on purpose: no answer is sent."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Identifies a request in the logs of both sides."""

    request_id: str
    client_request_id: str

    @classmethod
    def of(cls, request: web.Request) -> "Ids":
        given = request.headers.get("client-request-id", "")
        own = str(uuid4())
        return cls(own, given if _GUID.match(given) else own)

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Cache-Control": "private",
            "Strict-Transport-Security": "max-age=31536000",
            "request-id": self.request_id,
            "client-request-id": self.client_request_id,
            "x-ms-ags-diagnostic": _DIAGNOSTIC,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request: its mailbox is known, and the permission was granted."""

    request: web.Request
    cloud: Cloud
    ids: Ids
    principal: Principal
    box: User
    """Whose mailbox the URL names."""
    arguments: tuple[str, ...] = field(default=())
    """The ids in the URL, decoded: message or folder, attachment."""

    @property
    def immutable_ids(self) -> bool:
        """Whether ids are wanted that survive a move (Prefer: IdType="ImmutableId")."""
        wanted = self.request.headers.get("Prefer", "")
        return 'idtype="immutableid"' in wanted.replace(" ", "").lower()

    def fault(
        self, kind: type[FaultType], where: Callable[[FaultType], bool] | None = None
    ) -> FaultType | None:
        """The fault of this kind that strikes this call, if any; it counts as one stroke."""
        if not self.cloud.faults:
            return None
        return self.cloud.faults.take(
            kind,
            method=self.request.method,
            path=self.request.path,
            mailbox=(self.box.oid, self.box.upn, *self.box.addresses),
            where=where,
        )

    def answer(
        self,
        status: int,
        body: Mapping[str, Any] | bytes = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> web.Response:
        """The answer with its usual headers; a mapping becomes JSON."""
        every = self.ids.headers
        if self.immutable_ids:
            every["Preference-Applied"] = 'IdType="ImmutableId"'
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        if body:
            every["Content-Type"] = content_type
            if content_type == "application/json":
                every["Content-Type"] += (
                    ";odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;"
                    "charset=utf-8"
                )
        return web.Response(status=status, body=body or None, headers=every | dict(headers or {}))

    # The body ----------------------------------------------------------------------------------

    @property
    def content_type(self) -> str:
        given = self.request.headers.get("Content-Type", "")
        if not given:
            raise GraphError(
                "BadRequest",
                "Write requests (excluding DELETE) must contain the Content-Type header "
                "declaration.",
            )
        return given.partition(";")[0].strip().lower()

    async def body(self) -> bytes:
        """All of it; raises for one that is larger than Graph takes."""
        request, limit = self.request, self.cloud.mailboxes.settings.request_limit
        if cut := self.fault(CutMidBody):
            await _read_some(request, cut.octets)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionCut
        if (request.content_length or 0) > limit:
            raise self._oversize()
        body = await request.read()
        if len(body) > limit:
            raise self._oversize()
        return body

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(await self.body() or b"null")
        except ValueError as problem:
            raise GraphError(
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set "
                "and payload is of valid JSON format.",
            ) from problem
        if value is None:
            raise GraphError("BadRequest", "Empty Payload. JSON content expected.")
        if not isinstance(value, dict):
            raise GraphError("UnableToDeserializePostBody")
        return value

    async def mime(self) -> bytes:
        """The message that the body holds in base64; line ends in it do not matter."""
        body = await self.body()
        try:
            return binascii.a2b_base64(body, strict_mode=True)
        except binascii.Error:
            pass
        try:
            return binascii.a2b_base64(body.translate(None, b"\r\n\t "), strict_mode=True)
        except binascii.Error as problem:
            raise GraphError("ErrorMimeContentInvalidBase64String") from problem

    def _oversize(self) -> GraphError:
        fault = self.fault(OversizeAnswer)
        answer = fault.answer if fault else self.cloud.mailboxes.settings.oversize
        if answer == "200":
            return GraphError("", status=200, form="empty")
        code = "BadRequest" if answer == "400" else "RequestEntityTooLarge"
        return GraphError(code, "The maximum request length supported is 4MB.")


async def _read_some(request: web.Request, octets: int) -> None:
    while octets > 0 and not request.content.at_eof():
        octets -= len(await request.content.read(octets))
