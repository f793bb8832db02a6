"""Queue ids: ten characters that can be read out over the telephone.

Crockford's base 32 (no I, L, O, U), 50 bits: 41 for milliseconds since 2020 (enough until 2089), 9
random ones. So they sort by the time of acceptance. Each is greater than the one before, including
the last one in the database, whatever the wall clock does: so none is assigned twice.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 10
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST = (1 << 50) - 1
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})


class QueueIds:
    """Creates queue ids, all greater than `last`. Owned by one thread."""

    def __init__(self, last: str = "", chance: Callable[[int], int] | None = None) -> None:
        self._chance = chance or random.Random().getrandbits  # noqa: S311 (names, not secrets)
        self._last = decoded(last)

    def next(self, now: datetime) -> str:
        value = ((now - _EPOCH) // _MILLISECOND << 9) | self._chance(9)
        if not self._last < value <= _LAST:
            value = self._last + 1 + self._chance(3)
        self._last = value & _LAST
        return encoded(self._last)


def decoded(text: str) -> int:
    value = 0
    for letter in text:
        value = value << 5 | ALPHABET.index(letter)
    return value


def encoded(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in (40, 30, 20, 10, 0)])


def normalised(text: str) -> tuple[str, int | None]:
    """A typed queue id as message id and part: `4qx.../2` -> (`4QX...`, 2).

    Letters that Crockford's alphabet omits are read as the digits that they resemble. Without a
    part, the whole message is meant.
    """
    name, slash, part = text.strip().partition("/")
    name = name.encode("ascii", "replace").decode().upper().translate(_MISREAD)
    if not slash:
        return name, None
    return name, int(part) if part.isascii() and part.isdigit() and len(part) < 10 else 0


def part_id(queue_id: str, part: int) -> str:
    """As shown to administrators: the first part has the id of the message."""
    return queue_id if part == 1 else f"{queue_id}/{part}"
