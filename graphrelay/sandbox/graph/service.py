"""The Graph half of the sandbox: every request to /v1.0 and /beta, and to upload URLs.

    token ── route ── permission ── gate (4 at once) ── faults ── endpoint ── headers
     401   400/405      403, 404         429                        400…

The order is that of the real service: the caller is checked first, the body last.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.faults import Delay, Stall
from graphrelay.sandbox.graph import drafts, lookup, users
from graphrelay.sandbox.graph.access import Need, mailbox_for
from graphrelay.sandbox.graph.call import Call, ConnectionCut, Ids
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.faults import Refuse, RefuseAfter, TokenRefused
from graphrelay.sandbox.graph.gate import Gate
from graphrelay.sandbox.graph.sending import send_mail
from graphrelay.sandbox.graph.uploads import Uploads
from graphrelay.sandbox.tokens import Principal, TokenProblem

_POP = 'PoP realm="", authorization_uri="https://login.example/common/oauth2/authorize"'
_BEARER = re.compile(r"Bearer[ ]+(\S+)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, and what it needs."""

    need: Need
    answer: Callable[[Call], Awaitable[web.Response]]


class GraphService:
    """Answers for one sandbox."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._gate = Gate(cloud.mailboxes)
        self._uploads = Uploads()
        self._endpoints = _endpoints(self._uploads)

    async def graph(self, request: web.Request) -> web.StreamResponse:
        """Any method, any path below /v1.0 or /beta."""
        return await self._answered(request, self._graph)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Any method on an upload URL."""
        return await self._answered(request, self._upload)

    graph.waits_itself = upload.waits_itself = True  # type: ignore[attr-defined]

    async def _answered(
        self,
        request: web.Request,
        answer: Callable[[web.Request, Ids], Awaitable[web.Response]],
    ) -> web.Response:
        ids = Ids.of(request)
        try:
            return await answer(request, ids)
        except GraphError as error:
            body = error.body(ids.request_id, ids.client_request_id, self._cloud.now())
            headers = ids.headers | error.headers
            if body:
                headers["Content-Type"] = (
                    "text/html" if error.form == "html" else "application/json"
                )
            refusal = web.Response(status=error.status, body=body or None, headers=headers)
            for challenge in error.more_challenges:
                refusal.headers.add("WWW-Authenticate", challenge)
            return refusal
        except ConnectionCut:
            return web.Response(status=499)  # reaches no recipient

    async def _graph(self, request: web.Request, ids: Ids) -> web.Response:
        principal = self._principal(request)
        name, steps = _split(request)
        endpoint = self._endpoint(request.method, steps)
        cloud = self._cloud
        box = mailbox_for(principal, name, endpoint.need, cloud.directory, cloud.mailboxes.settings)
        arguments = tuple(steps[1::2])
        call = Call(request, cloud, ids, principal, box, arguments)
        if endpoint.need is Need.PROFILE:
            return await _with_faults(call, endpoint.answer)
        octets = request.content_length or 0
        with self._gate.passing(principal.client_id, box, octets, cloud.now()):
            return await _with_faults(call, endpoint.answer)

    async def _upload(self, request: web.Request, ids: Ids) -> web.Response:
        session = self._uploads.session_of(request, self._cloud.now())
        call = Call(request, self._cloud, ids, session.principal, session.box)
        octets = request.content_length or 0
        with self._gate.passing(
            session.principal.client_id, session.box, octets, self._cloud.now()
        ):
            match request.method:
                case "PUT":
                    return await _with_faults(call, lambda call: self._uploads.piece(call, session))
                case "DELETE":
                    return self._uploads.cancel(call, session)
        raise GraphError("MethodNotAllowed")

    def _principal(self, request: web.Request) -> Principal:
        found = _BEARER.match(request.headers.get("Authorization", ""))
        principal = self._cloud.tokens.principal_of(found[1] if found else "")
        if isinstance(principal, Principal):
            principal = self._refused(request, principal)
        if isinstance(principal, TokenProblem):
            raise GraphError(
                principal.code,
                principal.message,
                401,
                {"WWW-Authenticate": principal.www_authenticate(self._cloud.login_url)},
                more_challenges=(_POP,) if principal.several_lines else (),
            )
        return principal

    def _refused(self, request: web.Request, principal: Principal) -> Principal | TokenProblem:
        """Unless a fault makes this valid token invalid."""
        if not self._cloud.faults:
            return principal
        fault = self._cloud.faults.take(
            TokenRefused,
            method=request.method,
            path=request.path,
            mailbox=(principal.oid, principal.upn or ""),
        )
        if fault is None:
            return principal
        return TokenProblem(
            message=fault.message, claims=fault.claims or None, several_lines=fault.several_lines
        )

    def _endpoint(self, method: str, steps: list[str]) -> Endpoint:
        shape = tuple(
            step.lower() if number % 2 == 0 or step.lower() in _ACTIONS else "*"
            for number, step in enumerate(steps)
        )
        methods = self._endpoints.get(shape)
        if methods is None:
            raise GraphError(
                "BadRequest", f"Resource not found for the segment '{(steps or [''])[-1]}'."
            )
        if method not in methods:
            raise GraphError("MethodNotAllowed")
        return methods[method]


_ACTIONS = {"createuploadsession", "microsoft.graph.createuploadsession"}


def _endpoints(uploads: Uploads) -> dict[tuple[str, ...], dict[str, Endpoint]]:
    """The endpoints below /me or /users/{name}; `*` is an id. Names are not case-sensitive."""
    one_session = {"POST": Endpoint(Need.WRITE, uploads.create)}
    messages = {
        "GET": Endpoint(Need.READ, lookup.messages),
        "POST": Endpoint(Need.WRITE, drafts.create),
    }
    message = {
        "GET": Endpoint(Need.READ, drafts.read),
        "PATCH": Endpoint(Need.WRITE, drafts.change),
        "DELETE": Endpoint(Need.WRITE, drafts.delete),
    }
    attachments = {
        "GET": Endpoint(Need.READ, drafts.attachments),
        "POST": Endpoint(Need.WRITE, drafts.attach),
    }
    attachment = {
        "GET": Endpoint(Need.READ, drafts.read_attachment),
        "DELETE": Endpoint(Need.WRITE, drafts.delete_attachment),
    }
    return {
        (): {"GET": Endpoint(Need.PROFILE, users.user)},
        ("sendmail",): {"POST": Endpoint(Need.SEND, send_mail)},
        ("messages",): messages,
        ("messages", "*"): message,
        ("messages", "*", "send"): {"POST": Endpoint(Need.SEND, drafts.send)},
        ("messages", "*", "permanentdelete"): {
            "POST": Endpoint(Need.WRITE, drafts.delete_for_good)
        },
        ("messages", "*", "$value"): {"GET": Endpoint(Need.READ, drafts.value)},
        ("messages", "*", "attachments"): attachments,
        ("messages", "*", "attachments", "*"): attachment,
        ("messages", "*", "attachments", "createuploadsession"): one_session,
        ("messages", "*", "attachments", "microsoft.graph.createuploadsession"): one_session,
        ("mailfolders",): {"GET": Endpoint(Need.READ, lookup.folders)},
        ("mailfolders", "*"): {"GET": Endpoint(Need.READ, lookup.folder)},
        ("mailfolders", "*", "messages"): {"GET": Endpoint(Need.READ, lookup.messages)},
    }


def _split(request: web.Request) -> tuple[str | None, list[str]]:
    """Whose, and the steps below; each segment decoded by itself, so that an encoded slash stays
    within its segment."""
    _, *segments = request.rel_url.raw_path.strip("/").split("/")
    match [unquote(segment) for segment in segments]:
        case [me, *steps] if me.lower() == "me":
            return None, steps
        case [users, name, *steps] if users.lower() == "users":
            return name, steps
        case other:
            raise GraphError(
                "BadRequest", f"Resource not found for the segment '{(other or [''])[0]}'."
            )


async def _with_faults(
    call: Call, answer: Callable[[Call], Awaitable[web.Response]]
) -> web.Response:
    came = asyncio.get_running_loop().time()
    if stall := call.fault(Stall):
        await _wait(call, call.cloud.faults.while_on(stall))
    if fault := call.fault(Refuse, lambda fault: not fault.reads_message):
        async for _ in call.request.content.iter_any():
            pass  # the client has sent all of it, and none of it counts
        raise fault.error()
    response = await answer(call)
    if delay := call.fault(Delay):
        await _wait(call, delay.hold_back(came))
    if after := call.fault(RefuseAfter, lambda fault: not fault.reads_message):
        raise after.error()
    return response


async def _wait(call: Call, until: Coroutine[Any, Any, None]) -> None:
    """Wait, counting as in flight; a request whose client has disconnected no longer counts."""
    waiting = asyncio.ensure_future(until)
    try:
        while not (await asyncio.wait([waiting], timeout=_LOOK))[0]:
            if call.request.transport is None or call.request.transport.is_closing():
                raise ConnectionCut
    finally:
        waiting.cancel()


_LOOK = 0.05
"""Seconds between two looks at whether the client is still there: aiohttp does not tell."""
