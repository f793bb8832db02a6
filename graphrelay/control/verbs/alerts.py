"""`alert-test`: a test alert by every configured channel, and the result of each."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from graphrelay.alerts.channel import AlertNotSent, Sent
from graphrelay.alerts.manager import AlertManager
from graphrelay.control.verb import Asker, Output, Verb, VerbError


class AlertVerbs:
    """Works with and without the daemon, since it needs no mail."""

    def __init__(self, alerts: AlertManager) -> None:
        self._alerts = alerts

    def table(self) -> dict[str, Verb]:
        return {"alert-test": self._test}

    async def _test(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        outcomes = await self._alerts.test()
        if not outcomes:
            raise VerbError(
                "no alert would reach anybody: the configuration has no [[alerts.webhooks]] and no "
                "command in [alerts]"
            )
        for channel, outcome in outcomes:
            match outcome:
                case Sent():
                    yield {"channel": channel, "sent": True, "reason": ""}
                case AlertNotSent(reason=reason):
                    yield {"channel": channel, "sent": False, "reason": reason}
