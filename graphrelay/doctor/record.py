"""Every request of a run and its raw answer, redacted: the file that can be sent to the
developers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphrelay.clock import Clock
from graphrelay.doctor.redaction import Redactor
from graphrelay.graph.http.answer import HttpAnswer, read_error
from graphrelay.graph.http.exchange import HttpResult, Lost, NotSent, Request, RequestBody
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.lane import LaneConnections

LONGEST = 20_000
"""Characters of a body in JSON that are kept."""


@dataclass(slots=True)
class Record:
    """Keeps the answers, as values for JSON. `checking` is the current check."""

    redactor: Redactor
    clock: Clock
    checking: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, request: Request, result: HttpResult, at: datetime, took: float) -> None:
        """`took` in seconds."""
        url = request.url
        self.entries.append(
            {
                "check": self.checking,
                "at": at.isoformat(timespec="milliseconds"),
                "milliseconds": round(took * 1000),
                "method": request.method,
                "host": self.redactor.text(url.host or ""),
                "path": self.redactor.path(url.raw_path_qs),
                "octets": request.size,
                **self._answer(result),
            }
        )

    def note(self, **values: Any) -> None:
        """An exchange that this program did not make itself, such as a response to msal."""
        shown = self.redactor.value(values)
        self.entries.append({"check": self.checking, "at": self.clock.now().isoformat(), **shown})

    def _answer(self, result: HttpResult) -> dict[str, Any]:
        match result:
            case HttpAnswer(status=status, headers=headers, body=body):
                return {
                    "status": status,
                    "codes": list(read_error(body).codes),
                    "headers": self.redactor.headers(headers),
                    "body": self._body(body),
                }
            case NotSent(reason) | Lost(reason):
                return {"status": 0, "lost": self.redactor.text(reason)}

    def _body(self, body: bytes) -> Any:
        """JSON as JSON; of anything else, such as a message, only its length."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return f"({len(body)} octets)"
        shown = self.redactor.value(value)
        if len(json.dumps(shown)) > LONGEST:
            return f"({len(body)} octets of JSON)"
        return shown


class RecordedConnections(LaneConnections):
    """A lane's connections, with everything that goes over them recorded."""

    def __init__(self, graph: str, endpoint: Endpoint, concurrency: int, record: Record) -> None:
        super().__init__(graph, endpoint, concurrency)
        self._record = record
        self.heard: Callable[[HttpAnswer], None] = lambda answer: None
        """Is called with each answer of which there is one."""

    async def send(self, request: Request, body: RequestBody) -> HttpResult:
        clock = self._record.clock
        at, begun = clock.now(), clock.seconds()
        result = await super().send(request, body)
        self._record.add(request, result, at, clock.seconds() - begun)
        if isinstance(result, HttpAnswer):
            self.heard(result)
        return result
