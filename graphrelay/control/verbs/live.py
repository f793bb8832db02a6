"""The verbs that only a running daemon can answer: `lanes`, `send-test`, `transcript`."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from graphrelay.clock import Clock
from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.control.verbs import json_views
from graphrelay.control.verbs.mail import stored
from graphrelay.model import Accepted, Address, Done, Envelope, Held, Origin, Reply
from graphrelay.relay.accept.reception import MailReception
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.relay.queue.lane_view import LaneView, empty
from graphrelay.relay.queue.manager import QueueManager
from graphrelay.smtp.connection.transcript import Transcripts
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf
from graphrelay.spool.values import MessageHistory

LOOK = timedelta(milliseconds=100)
"""How often the progress of a test message is looked up."""


class LiveVerbs:
    """Over the live parts of the daemon."""

    def __init__(
        self,
        reception: MailReception,
        spool: Spool,
        queue: QueueManager,
        limits: RequestLimits,
        listener: str,
        transcripts: Transcripts,
        clock: Clock,
    ) -> None:
        """`listener`: the one that routes see for a test message that names none."""
        self._reception = reception
        self._spool = spool
        self._queue = queue
        self._limits = limits
        self._listener = listener
        self._transcripts = transcripts
        self._clock = clock

    def table(self) -> dict[str, Verb]:
        return {
            "lanes": self._lanes,
            "send-test": self._send_test,
            "transcript": self._transcript,
        }

    async def _lanes(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        learned = self._limits.all_learned()
        for view in await stored(self._queue.lanes()):
            yield json_views.lane(view, learned.pop(view.lane, None))
        for lane, limit in learned.items():
            yield json_views.lane(empty(lane), limit)

    async def _transcript(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """The last failed session of a client, if there was one."""
        if found := self._transcripts.of(str(arguments["client"])):
            yield {
                "kind": "transcript",
                "at": json_views.when(found.at),
                "client": found.client,
                "listener": found.listener,
                "lines": list(found.lines),
            }

    async def _send_test(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """Ends with the message's result, or when it waits for longer than `patience`."""
        sender = Address.parse(str(arguments["sender"])) if arguments.get("sender") else None
        if not arguments.get("recipient"):
            raise VerbError("a test message needs a recipient")
        recipient = Address.parse(str(arguments["recipient"]))
        listener = str(arguments.get("listener") or self._listener)
        origin = Origin(listener=listener, client="127.0.0.1", helo="graphrelay send-test")
        accepted = await self._accept(sender, recipient, origin)
        yield {"kind": "accepted", "queue_id": accepted.queue_id}
        patience = timedelta(seconds=float(arguments.get("patience") or 60))
        gives_up = self._clock.monotonic() + patience
        shown = 0
        while self._clock.monotonic() < gives_up:
            found = await stored(self._spool.read(HistoryOf(accepted.queue_id)))
            if found is None:
                raise VerbError(f"{accepted.queue_id} is no longer in the mail log")
            message = json_views.message(found, self._clock.now(), {})
            events = [event for part in message["parts"] for event in part["history"]]
            for event in events[shown:]:
                yield {"kind": "happened", **event}
            shown = len(events)
            if end := _ended(found):
                yield {"kind": end, "queue_id": accepted.queue_id}
                return
            if trouble := await self._trouble(found):
                yield {"kind": "waits", "queue_id": accepted.queue_id, **json_views.lane(trouble)}
                return
            await self._clock.sleep(LOOK)
        yield {"kind": "waits", "queue_id": accepted.queue_id, "reason": "no result in time"}

    async def _accept(self, sender: Address | None, recipient: Address, origin: Origin) -> Accepted:
        body = self._reception.incoming()
        try:
            refusal = self._reception.sender(sender, origin) or self._reception.recipient(
                recipient, sender, origin
            )
            if refusal:
                raise VerbError(str(refusal))
            await body.write(self._message(sender, recipient))
            answer = await stored(
                self._reception.accept(Envelope(sender, (recipient,)), origin, body)
            )
        finally:
            await body.discard()
        if isinstance(answer, Reply):
            raise VerbError(str(answer))
        return answer

    def _message(self, sender: Address | None, recipient: Address) -> bytes:
        message = EmailMessage()
        if sender:
            message["From"] = str(sender)
        message["To"] = str(recipient)
        message["Subject"] = "Test message from graphrelay"
        message["Date"] = format_datetime(self._clock.now())
        message.set_content(
            "This message was sent by `graphrelay send-test`.\n"
            "Its arrival shows that every step works: routes, token, Microsoft Graph, Exchange.\n"
        )
        return message.as_bytes().replace(b"\n", b"\r\n")

    async def _trouble(self, found: MessageHistory) -> LaneView | None:
        """A paused lane in which a part is queued: only an administrator or time ends the pause."""
        lanes = {part.plan.lane for part in found.parts}
        stopped = (view for view in await stored(self._queue.lanes()) if view.lane in lanes)
        return next((view for view in stopped if view.state not in ("open", "resting")), None)


def _ended(found: MessageHistory) -> str | None:
    """`relayed`, `failed`, `deleted` or `held`, when nothing more will happen by itself."""
    states = [part.state for part in found.parts]
    if any(isinstance(state, Held) for state in states):
        return "held"
    if all(isinstance(state, Done) for state in states):
        ends = {state.how for state in states if isinstance(state, Done)}
        return "relayed" if ends == {"relayed"} else min(ends - {"relayed"})
    return None
