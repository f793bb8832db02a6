"""An entry as one line: readable text or JSON, with the same fields in both.

    2026-11-23T12:00:00Z accepted 4QX7K2M9 sender=<wp@contoso.com> recipients=<a@example.org> …

No character of a value can end the line or control a terminal: what is not printable is escaped.
"""

import json
import re
from collections.abc import Mapping

from graphrelay.journal.entry import Entry
from graphrelay.journal.event import Value

_PLAIN = re.compile(r"[!#-<>-~]+")
"""What reads as one word and needs no quotes: most values."""


def text_line(entry: Entry) -> str:
    """`time event queue-id key=value …`, values quoted if they would not read as one word."""
    queue_id, fields = entry.split()
    words = [f"{entry.at.isoformat()[:19]}Z", entry.event]
    words += [queue_id] if queue_id else []
    words += [f"{key}={_word(value)}" for key, value in fields.items() if value is not None]
    return " ".join(words)


def json_line(entry: Entry) -> str:
    """One JSON object on one line, with `time`, `level`, `event`, `queue_id` and the fields."""
    queue_id, fields = entry.split()
    head = {"time": entry.at.isoformat(), "level": entry.level, "event": entry.event}
    if queue_id:
        head["queue_id"] = queue_id
    return _quoted({**head, **fields})


def _quoted(value: Value | Mapping[str, Value]) -> str:
    """As JSON, with every unprintable character escaped: beyond ASCII, too, there are controls,
    line ends and changes of direction that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def _word(value: Value) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    return ",".join(map(_word, value or ()))


def _text(text: str) -> str:
    plain = text and text.isprintable() and not (" " in text or '"' in text or "=" in text)
    return text if plain else _quoted(text)
