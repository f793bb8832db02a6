"""One message: its envelope, its route, every attempt with Microsoft's answer; what it says and its
files, while the relay has them; and a button to send it again. The journal records who reads it.
"""

import base64
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from aiohttp import web

from graphrelay import mail_html
from graphrelay.console.desk import Desk
from graphrelay.console.forms import number
from graphrelay.console.guard import HEADERS, VISIT, no_turn
from graphrelay.console.options import ConfiguredKey
from graphrelay.console.pages.queue import ACTS
from graphrelay.console.render import Renderer
from graphrelay.control.verb import Output, VerbError

ID = r"{queue_id:[^/]+(?:/[0-9]{1,9})?}"
"""A part has a number after its message's id: `4QX7K2M9/2`."""
LARGEST_IMAGE = 2_000_000
_CONDITIONS = frozenset({"sender", "recipient", "listener", "login", "client", "header"})
MOST_IMAGES = 20
"""Of the images in a message, those that are shown in its text; all are among its files."""


def register(app: web.Application, desk: Desk, renderer: Renderer) -> None:
    pages = MessagePages(desk, renderer)
    app.add_routes(
        [
            web.get(f"/message/{ID}/content", pages.content),
            web.get(f"/message/{ID}/html", pages.html),
            web.get(f"/message/{ID}/files/{{number}}", pages.file),
            web.post(f"/message/{ID}/resend", pages.resend),
            web.get(f"/message/{ID}", pages.show),
        ]
    )


class MessagePages:
    """The message, what it says, and its files."""

    def __init__(self, desk: Desk, renderer: Renderer) -> None:
        self._desk = desk
        self._renderer = renderer

    async def show(self, request: web.Request) -> web.StreamResponse:
        queue_id = request.match_info["queue_id"]
        try:
            [message] = await self._desk.ask("queue-show", queue_id=queue_id)
        except VerbError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        states = {part["state"] for part in message["parts"]}
        waits = states & {"queued", "held", "in flight"}
        acts = {
            name: words
            for name, words in ACTS.items()
            if (name in ("retry", "hold") and "queued" in states)
            or (name == "release" and "held" in states)
            or (name == "delete" and states & {"queued", "held"})
        }
        return self._renderer.page(
            "message",
            request[VISIT],
            message=message,
            acts=acts,
            conditions=conditions(self._desk.in_force().keys),
            can_resend=message["octets_kept"] and not waits,
        )

    async def resend(self, request: web.Request) -> web.StreamResponse:
        """Asks first."""
        queue_id, form = request.match_info["queue_id"], await request.post()
        if form.get("sure") != "yes":
            return self._renderer.question(
                request[VISIT],
                "resend",
                queue_id,
                action=str(request.rel_url),
                back=f"/message/{queue_id}",
            )
        self._desk.acted(request[VISIT], "send again", queue_id)
        reason = self._desk.reason(request[VISIT], form)
        [accepted] = await self._desk.ask("resend", queue_id=queue_id, reason=reason)
        raise web.HTTPSeeOther(f"/message/{accepted['queue_id']}")

    async def content(self, request: web.Request) -> web.StreamResponse:
        queue_id = request.match_info["queue_id"]
        self._desk.acted(request[VISIT], "read the text of", queue_id)
        [found] = await self._desk.ask("queue-content", queue_id=queue_id)
        return self._renderer.page("content", request[VISIT], queue_id=queue_id, found=found)

    async def html(self, request: web.Request) -> web.StreamResponse:
        """For the frame in the page above, with the message's own images."""
        queue_id = request.match_info["queue_id"]
        self._desk.acted(request[VISIT], "read the HTML of", queue_id)
        [found] = await self._desk.ask("queue-content", queue_id=queue_id)
        html = found["text"] if found["is_html"] else ""
        images = await self._images(queue_id, html, found["files"])
        return web.Response(
            text=mail_html.framed(html, images.get),
            content_type="text/html",
            headers={
                "Content-Security-Policy": mail_html.MAIL_POLICY,
                "X-Frame-Options": "SAMEORIGIN",
            },
        )

    async def _images(
        self, queue_id: str, html: str, files: list[dict[str, Any]]
    ) -> dict[str, tuple[str, bytes]]:
        shown = mail_html.content_ids(html)
        wanted = [
            one
            for one in files
            if one["content_id"] in shown
            and one["type"].startswith("image/")
            and one["size"] <= LARGEST_IMAGE
        ]
        return {
            one["content_id"]: (one["type"], await self._octets(queue_id, one["number"]))
            for one in wanted[:MOST_IMAGES]
        }

    async def _octets(self, queue_id: str, number: int) -> bytes:
        events = await self._desk.ask("queue-file", queue_id=queue_id, number=number)
        return b"".join(_octets(event) for event in events)

    @no_turn
    async def file(self, request: web.Request) -> web.StreamResponse:
        """A download, a piece at a time."""
        queue_id = request.match_info["queue_id"]
        which = number(request.match_info["number"]) or 0
        self._desk.acted(request[VISIT], f"download file {which} of", queue_id)
        file = self._desk.outputs("queue-file", queue_id=queue_id, number=which)
        async with aclosing(file) as events:
            async with self._desk.turns.turn(request[VISIT].user):
                first = await anext(events)
            response = web.StreamResponse(
                headers={**HEADERS, **mail_html.download(first["name"], first["type"])}
            )
            response.content_length = first["size"]
            await response.prepare(request)
            async for event in events:
                await response.write(_octets(event))
        return response


def conditions(keys: Sequence[ConfiguredKey]) -> dict[str, str]:
    """By the name of a route, why it takes mail: its conditions in the present configuration."""
    names: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for one in keys:
        route, _, key = one.key.partition(".")
        if not route.startswith("routes["):
            continue
        if key == "name" and one.value.startswith('"'):
            names[route] = one.value.strip('"')
        if key in _CONDITIONS and one.value != "[]":
            found.setdefault(route, []).append(f"{key} = {one.value}")
    return {names.get(route, route): ", ".join(text) for route, text in found.items()}


def _octets(event: Output) -> bytes:
    return base64.b64decode(event["base64"]) if event["kind"] == "octets" else b""
