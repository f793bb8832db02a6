"""What a filter asks for, as conditions of SQL. The words are our own, the values are bound."""

import re
from datetime import datetime
from typing import Any

from graphrelay.model import Address
from graphrelay.spool.codec import microseconds
from graphrelay.spool.queue_ids import normalised
from graphrelay.spool.sqlite.database.text import storable

Conditions = list[tuple[str, tuple[Any, ...]]]
"""Each with the values for its question marks. What is not given gives none."""


def joined(conditions: Conditions) -> tuple[str, tuple[Any, ...]]:
    """What stands after WHERE, and its values."""
    words = " AND ".join(condition for condition, _ in conditions) or "1"
    return words, tuple(value for _, values in conditions for value in values)


def equal(column: str, value: str | None) -> Conditions:
    return [] if value is None else [(f"{column} = ?", (storable(value),))]


def moment_is(condition: str, value: datetime | None) -> Conditions:
    return [] if value is None else [(condition, (microseconds(value),))]


def message_is(queue_id: str | None) -> Conditions:
    if queue_id is None:
        return []
    name, part = normalised(queue_id)
    return [("m.queue_id = ?", (name,)), *([] if part is None else [("s.part = ?", (part,))])]


def sender_is(text: str | None, column: str = "m.sender_key") -> Conditions:
    """An address, `@domain`, or `<>`."""
    if text is None:
        return []
    if text.startswith("@"):
        domain = storable(Address.parse(text).key)
        return [(f"substr({column}, -length(?)) = ?", (domain, domain))]
    return [(f"{column} = ?", (key_of(text),))]


def recipient_is(text: str | None) -> Conditions:
    if text is None:
        return []
    return [("s.id IN (SELECT submission FROM recipients WHERE address_key = ?)", (key_of(text),))]


def recipient_is_among(text: str | None) -> Conditions:
    """The same, looked up for each submission: where few are looked at."""
    if text is None:
        return []
    found = "EXISTS (SELECT 1 FROM recipients WHERE address_key = ? AND submission = s.id)"
    return [(found, (key_of(text),))]


def containing(column: str, text: str | None) -> Conditions:
    """A part of the text; ASCII letters are compared without regard to case."""
    if text is None:
        return []
    literal = re.sub(r"([\\%_])", r"\\\1", text)
    return [(f"{column} LIKE ? ESCAPE '\\'", (storable(f"%{literal}%"),))]


def key_of(text: str) -> str | bytes:
    """Of an address as a person writes it, perhaps in angle brackets; empty for the null sender."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    return storable(Address.parse(bare).key) if bare else ""
