"""`alert-test`: a test alert by every configured way, and what came of each."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from graphrelay.alerts.manager import AlertManager
from graphrelay.alerts.way import NotSent, Sent
from graphrelay.control.verb import Asker, Event, Verb, VerbError


class AlertVerbs:
    """Works with and without the daemon: nothing of it needs the mail."""

    def __init__(self, alerts: AlertManager) -> None:
        self._alerts = alerts

    def table(self) -> dict[str, Verb]:
        return {"alert-test": self._test}

    async def _test(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Event]:
        outcomes = await self._alerts.test()
        if not outcomes:
            raise VerbError(
                "nobody would be told: the configuration has no [[alerts.webhooks]] "
                "and no command in [alerts]"
            )
        for way, outcome in outcomes:
            match outcome:
                case Sent():
                    yield {"way": way, "sent": True, "reason": ""}
                case NotSent(reason=reason):
                    yield {"way": way, "sent": False, "reason": reason}
