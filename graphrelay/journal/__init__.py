"""The journal: a line for each event of mail, and for everything else that an administrator should
know.

    room ── Event ──▶ Journal ── Entry ──▶ sinks: lines on standard error, the alerts

Administrators read it with `journalctl`. The mail log that `graphrelay log` queries is in the spool
and has the same content. No body, secret or token is ever passed to the journal.
"""

import sys
from collections.abc import Callable
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.journal.entry import Entry, Sink
from graphrelay.journal.event import LEVELS, Event, Level
from graphrelay.journal.events import JournalLost
from graphrelay.journal.lines import json_line, text_line

__all__ = ["Entry", "Journal", "Level", "Sink", "json_line", "stream_sink", "text_line"]


def stream_sink(
    write: Callable[[str], object] = sys.stderr.write,
    style: Literal["text", "json"] = "text",
    level: Level = "info",
) -> Sink:
    """A sink that writes lines in `style`, for events of `level` and above."""
    line = json_line if style == "json" else text_line
    wanted = LEVELS[LEVELS.index(level) :]

    def sink(entry: Entry) -> None:
        if entry.level in wanted:
            write(line(entry) + "\n")

    return sink


class Journal:
    """Passes every event to every sink."""

    def __init__(self, clock: Clock, *sinks: Sink) -> None:
        self._clock = clock
        self._sinks = sinks
        self._lost: dict[int, tuple[int, str]] = {}
        """For each sink that fails: how many entries were lost, and why the last one was."""

    def add(self, sink: Sink) -> None:
        """Hand every event to this sink as well, from now on."""
        self._sinks = (*self._sinks, sink)

    def write(self, event: Event) -> None:
        """Write an event that happened now. Never raises."""
        entry = Entry(self._clock.now(), event)
        for number, sink in enumerate(self._sinks):
            self._hand(number, sink, entry)

    def _hand(self, number: int, sink: Sink, entry: Entry) -> None:
        """A sink that fails (a full disk, a closed pipe, a bug) must neither stop mail nor undo
        what was accepted. When it works again, its first line says how many entries were lost, and
        why."""
        try:
            if number in self._lost:
                sink(Entry(entry.at, JournalLost(*self._lost[number])))
                del self._lost[number]
            sink(entry)
        except Exception as error:
            lines, _ = self._lost.get(number, (0, ""))
            self._lost[number] = lines + 1, repr(error)
