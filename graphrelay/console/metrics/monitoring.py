"""What monitoring asks for, on whichever listener: the figures and the health of the relay."""

from graphrelay.clock import Clock
from graphrelay.console.asking import Ask
from graphrelay.console.metrics.counts import Counts
from graphrelay.console.metrics.health import problems
from graphrelay.console.metrics.snapshot import take_snapshot
from graphrelay.console.options import HealthLimits
from graphrelay.console.shared import SharedAnswer
from graphrelay.control.verb import Output, VerbError
from graphrelay.journal import Entry


class Monitoring:
    """Counts from the start of the relay; reads the rest on request."""

    def __init__(self, ask: Ask, limits: HealthLimits, clock: Clock) -> None:
        self.limits = limits
        self._clock = clock
        self._counts = Counts()
        self._snapshot = SharedAnswer(clock, lambda: take_snapshot(ask))
        self._leaving = False

    def leave(self) -> None:
        """The relay is going to stop: load balancers are to send clients elsewhere."""
        self._leaving = True

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        self._counts.hear(entry)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """For Prometheus: the text and its content type, in the form that `accept` prefers. Raises
        `VerbError` when the spool cannot be read."""
        # A library that only this needs.
        from prometheus_client.exposition import choose_encoder

        from graphrelay.console.metrics.families import Families

        snapshot = await self._snapshot.get()
        try:
            encode, content_type = choose_encoder(accept)
        except TypeError:  # the library compares a version that is no number
            encode, content_type = choose_encoder("")
        return encode(Families(self._counts, snapshot, self._clock.now()).registry()), content_type

    async def health(self) -> tuple[bool, Output]:
        """Whether it accepts mail, and the same as JSON."""
        try:
            self._refuse_if_leaving()
            await self._snapshot.get()
        except VerbError as error:
            return False, {"alive": True, "accepting": False, "reason": str(error)}
        return True, {"alive": True, "accepting": True}

    async def readiness(self) -> tuple[bool, Output]:
        """Whether mail that is accepted can be sent soon, and the reasons if it cannot."""
        try:
            self._refuse_if_leaving()
            snapshot = await self._snapshot.get()
        except VerbError as error:
            return False, {"ready": False, "problems": [str(error)]}
        found = list(problems(snapshot, self.limits, self._clock.now()))
        return not found, {"ready": not found, "problems": found}

    def _refuse_if_leaving(self) -> None:
        if self._leaving:
            raise VerbError("the relay is stopping")
