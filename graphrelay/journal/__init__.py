"""The journal: one line for each thing that happens to mail, or that an admin should know.

    room ── Event ──▶ Journal ── Entry ──▶ sinks: lines on standard error, the alerts

It is what an admin reads in `journalctl`. The mail log that `graphrelay log` queries is in the
spool and says the same. No body, no secret and no token is ever passed in here.
"""

import sys
from collections.abc import Callable
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.journal.entry import Entry, Sink
from graphrelay.journal.events import LEVELS, Event, JournalLost, Level
from graphrelay.journal.lines import json_line, text_line

__all__ = ["Entry", "Journal", "Level", "Sink", "json_line", "stream_sink", "text_line"]


def stream_sink(
    write: Callable[[str], object] = sys.stderr.write,
    style: Literal["text", "json"] = "text",
    level: Level = "info",
) -> Sink:
    """A sink that writes lines of `style`, for events of `level` and above."""
    line = json_line if style == "json" else text_line
    wanted = LEVELS[LEVELS.index(level) :]

    def sink(entry: Entry) -> None:
        if entry.level in wanted:
            write(line(entry) + "\n")

    return sink


class Journal:
    """Hands every event to every sink."""

    def __init__(self, clock: Clock, *sinks: Sink) -> None:
        self._clock = clock
        self._sinks = sinks
        self._lost: dict[int, tuple[int, str]] = {}
        """For each sink that fails: how many entries are missing, and why the last one is."""

    def add(self, sink: Sink) -> None:
        """Hand every event to this sink as well, from now on."""
        self._sinks = (*self._sinks, sink)

    def write(self, event: Event) -> None:
        """It happened now. Never raises."""
        entry = Entry(self._clock.now(), event)
        for number, sink in enumerate(self._sinks):
            self._hand(number, sink, entry)

    def _hand(self, number: int, sink: Sink, entry: Entry) -> None:
        """A log that cannot be written (a full disk, a closed pipe, a mistake in a sink) is no
        reason to stop mail, nor to take back what was accepted. When it works again, the first line
        says how many are missing, and why."""
        try:
            if number in self._lost:
                sink(Entry(entry.at, JournalLost(*self._lost[number])))
                del self._lost[number]
            sink(entry)
        except Exception as error:
            lines, _ = self._lost.get(number, (0, ""))
            self._lost[number] = lines + 1, repr(error)
