"""Conditions of a WHERE clause from filters of which any field may be missing."""

import re
from typing import Any

from graphrelay.model import Address
from graphrelay.spool.codec import microseconds
from graphrelay.spool.postgres.text import storable
from graphrelay.spool.queue_ids import normalised

Conditions = list[tuple[str, tuple[Any, ...]]]

HAS_MESSAGE_ID = (
    "left(m.message_id, 200) = left(%(message_id)s, 200) AND m.message_id = %(message_id)s"
)
"""As the index `messages_by_message_id` finds it."""


def joined(conditions: Conditions) -> tuple[str, tuple[Any, ...]]:
    """The conditions in one expression, with its values."""
    words = " AND ".join(condition for condition, _ in conditions) or "true"
    return words, tuple(value for _, values in conditions for value in values)


def equal(column: str, value: str | None) -> Conditions:
    return [] if value is None else [(f"{column} = %s", (storable(value),))]


def moment_is(condition: str, value: Any) -> Conditions:
    return [] if value is None else [(condition, (microseconds(value),))]


def message_is(queue_id: str | None) -> Conditions:
    if queue_id is None:
        return []
    name, part = normalised(queue_id)
    part_is: Conditions = [] if part is None else [("s.part = %s", (part,))]
    return [("m.queue_id = %s", (storable(name),)), *part_is]


def sender_is(text: str | None, column: str = "m.sender_key") -> Conditions:
    """An address, or all of a domain: `@contoso.com`."""
    if text is None:
        return []
    if text.startswith("@"):
        domain = storable(Address.parse(text).key)
        return [(f"right({column}, length(%s)) = %s", (domain, domain))]
    return [(f"{column} = %s", (key_of(text),))]


def recipient_is(text: str | None) -> Conditions:
    if text is None:
        return []
    found = "s.id IN (SELECT submission FROM recipients WHERE address_key = %s)"
    return [(found, (key_of(text),))]


def containing(column: str, text: str | None) -> Conditions:
    """A part of the text; letters are compared without regard to case."""
    if text is None:
        return []
    literal = re.sub(r"([\\%_])", r"\\\1", text)
    return [(f"{column} ILIKE %s", (storable(f"%{literal}%"),))]


def key_of(text: str) -> str:
    """What an address is compared by; empty for the null sender."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    return storable(Address.parse(bare).key) if bare else ""
