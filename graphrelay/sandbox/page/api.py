"""The page's JSON, for its own script and for other processes."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from aiohttp import web

from graphrelay.mail_html import download
from graphrelay.sandbox.cloud import Cloud
from graphrelay.sandbox.faults import KINDS, BadFaultError, from_json, to_json
from graphrelay.sandbox.mailbox_items import BodyNotKept, Mail
from graphrelay.sandbox.page.guard import MAIL_POLICY, dress
from graphrelay.sandbox.page.shown import details, framed_html, summary

MOST = 500
"""Messages in one answer."""
LONGEST_NUMBER = 15
"""Digits."""
SIGN_OF_LIFE = 15.0
"""Seconds between comments on a quiet event stream, so that a dead connection is noticed."""
PAUSE = 0.1
"""Seconds between two events: under load one event stands for many arrivals."""


class PageApi:
    """Answers from the mailboxes and faults of one sandbox."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def register(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.get("/api/messages", self.messages),
                web.delete("/api/messages", self.clear),
                web.get(r"/api/messages/{number:\d{1,15}}", self.message),
                web.get(r"/api/messages/{number:\d{1,15}}/raw", self.raw),
                web.get(r"/api/messages/{number:\d{1,15}}/html", self.html),
                web.get(
                    r"/api/messages/{number:\d{1,15}}/attachments/{file:\d{1,15}}", self.attachment
                ),
                web.get("/api/faults", self.faults),
                web.put("/api/faults", self.set_faults),
                web.get("/api/stats", self.stats),
                web.get("/api/about", self.about),
                web.get("/api/events", self.events),
            ]
        )

    async def messages(self, request: web.Request) -> web.Response:
        """A page of the list. `before` and `after` are numbers of messages."""
        mailboxes = self._cloud.mailboxes
        limit = min(_number(request, "limit", 50), MOST)
        if "after" in request.query:
            mails = mailboxes.mails_after(_number(request, "after", 0), limit)
        else:
            before = _number(request, "before", 0) or None
            mails = mailboxes.mails_before(before, limit)
        return web.json_response(
            {
                "messages": [summary(mail) for mail in mails],
                "total": mailboxes.count(),
                "last": mailboxes.last_number,
            }
        )

    async def clear(self, request: web.Request) -> web.Response:
        self._cloud.mailboxes.clear()
        return web.Response(status=204)

    async def message(self, request: web.Request) -> web.Response:
        return web.json_response(details(self._mail(request)))

    async def raw(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        delivered = request.query.get("of") == "delivered"
        try:
            octets = mail.delivered if delivered else mail.raw
        except BodyNotKept as problem:
            raise web.HTTPGone(text=str(problem)) from problem
        return _file(octets, f"message-{mail.number}.eml", "message/rfc822")

    async def html(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        try:
            content = mail.content
        except BodyNotKept as problem:
            raise web.HTTPGone(text=str(problem)) from problem
        return web.Response(
            text=framed_html(content),
            content_type="text/html",
            headers={"Content-Security-Policy": MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"},
        )

    async def attachment(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        try:
            one = mail.content.attachments[int(request.match_info["file"])]
        except (BodyNotKept, IndexError) as problem:
            raise web.HTTPNotFound from problem
        return _file(one.content, one.name, one.content_type)

    async def faults(self, request: web.Request) -> web.Response:
        """The faults that are switched on, and all kinds."""
        active = [to_json(fault) for fault in self._cloud.faults.active()]
        kinds = {name: (kind.__doc__ or "").strip() for name, kind in sorted(KINDS.items())}
        return web.json_response({"faults": active, "kinds": kinds})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Switch on exactly these: `{"faults": [{"kind": "refuse", "code": …}]}`."""
        try:
            given = await request.json()
            if not isinstance(given, dict) or not isinstance(given.get("faults"), list):
                raise BadFaultError('the body is {"faults": [...]}')
            self._cloud.faults.replace([from_json(one) for one in given["faults"]])
        except (ValueError, LookupError, RecursionError) as problem:
            # Not JSON, an unknown charset, or nested too deeply.
            return web.json_response({"error": str(problem)}, status=400)
        return await self.faults(request)

    async def stats(self, request: web.Request) -> web.Response:
        mailboxes = self._cloud.mailboxes
        counts: dict[str, Any] = {
            "submitted": len(mailboxes.submitted),
            "distinct": len(mailboxes.submissions),
            "submissions": dict(mailboxes.submissions),
            "peak_in_flight": mailboxes.peaks_in_flight,
        }
        return web.json_response(counts)

    async def about(self, request: web.Request) -> web.Response:
        """What the page says while nothing has arrived, such as how to send."""
        return web.json_response({"note": self._cloud.page_note})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """One event at once, and one after each change."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        dress(response)
        await response.prepare(request)
        mailboxes, seen = self._cloud.mailboxes, -1
        while True:
            if seen == mailboxes.changes:
                line = ": still here"
            else:
                seen = mailboxes.changes
                state = {"last": mailboxes.last_number, "total": mailboxes.count()}
                line = f"data: {json.dumps(state)}"
            try:
                await response.write(f"{line}\n\n".encode())
            except ConnectionError:
                return response
            await asyncio.sleep(PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(SIGN_OF_LIFE):
                    await mailboxes.wait_for_change(seen)

    def _mail(self, request: web.Request) -> Mail:
        mail = self._cloud.mailboxes.mail(int(request.match_info["number"]))
        if mail is None:
            raise web.HTTPNotFound
        return mail


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise web.HTTPBadRequest(
            text=f"{name} is a number of up to {LONGEST_NUMBER} digits, not {text[:50]!r}\n"
        )
    return int(text)


def _file(octets: bytes, name: str, content_type: str) -> web.Response:
    return web.Response(body=octets, headers=download(name, content_type))
