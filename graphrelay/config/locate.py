"""The line of a key in a TOML file, for messages.

`tomllib` keeps no positions. This reads the lines that look like table headers and keys; where a
key is written in another way (an inline table, a string over several lines), it returns the line of
the table around it, and 0 where there is none. It is used for messages only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Key = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"\s*([\w\-\"'. ]+?)\s*=")


class Lines:
    """The lines of a text's keys."""

    def __init__(self, text: str) -> None:
        self._found = dict(reversed(list(_lines(text))))

    def of(self, key: Key) -> int:
        """The line (from 1) of `key`, or of the table it belongs to, else 0."""
        while key:
            if key in self._found:
                return self._found[key]
            key = key[:-1]
        return 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is written: the file, if it is not the main one, and the line, 0 if unknown."""

    line: int = 0
    file: str = ""

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ", ".join(filter(None, (self.file, line)))


class Places:
    """The places of the keys of a configuration: its main file, and for each account that has a
    file of its own that file's name and text."""

    def __init__(
        self,
        text: str,
        accounts: Mapping[str, tuple[str, str]],
        routes: Sequence[tuple[str, int]] = (),
    ) -> None:
        """`routes`: for each in order the account in whose file it is, if any, and its number
        there."""
        self._main = Lines(text)
        self._routes = routes
        self._accounts = {name: (file, Lines(own)) for name, (file, own) in accounts.items()}

    def of(self, key: Key) -> Place:
        """Where `key` is, or the table that it belongs to."""
        file, lines = "", self._main
        if key[:1] == ("accounts",) and len(key) > 1:
            file, lines = self._accounts.get(str(key[1]), (file, lines))
        if key[:1] == ("routes",) and len(key) > 1 and self._routes:
            account, number = self._routes[int(key[1])]
            key = ("routes", number, *key[2:]) if number >= 0 else ()
            file, lines = self._accounts.get(account, (file, lines))
        return Place(lines.of(key), file)


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    table: Key = ()
    counts: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _names(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            yield (*table, *_names(assignment[1])), number


def _names(dotted: str) -> Key:
    return tuple(name.strip().strip("\"'") for name in dotted.split("."))
