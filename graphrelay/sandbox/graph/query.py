"""The OData options of a look-up: `$filter`, `$select`, `$top`, `$skip`, `$orderby`.

Filters are comparisons joined by `and`, which is what finding a message needs. Anything not
supported here is refused, never ignored: an ignored filter finds the wrong mail.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.view import known_property

_COMPARISON = re.compile(
    r"\s*(\w+)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|[^\s']+)\s*(?:\band\b|\Z)", re.IGNORECASE
)
_CLASS = re.compile(
    r"\s*singleValueExtendedProperties/any\(\s*(\w+)\s*:\s*\1/id eq 'String 0x001A'\s+and\s+"
    r"(?:\1/value eq '([^']*)'|startswith\(\s*\1/value\s*,\s*'([^']*)'\s*\))\s*\)\s*(?:\band\b|\Z)",
    re.IGNORECASE,
)
"""PidTagMessageClass, the one extended property that is filtered by here."""
_EXPAND = re.compile(r"singleValueExtendedProperties\(\$filter=(.*)\)\Z")
_EXPANDED = re.compile(r"id eq 'String 0x([0-9A-Fa-f]{1,4})'\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\Z")
_KNOWN = {"$filter", "$select", "$top", "$skip", "$orderby", "$count", "$expand"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "ge": lambda left, right: bool(left >= right),
    "gt": lambda left, right: bool(left > right),
    "le": lambda left, right: bool(left <= right),
    "lt": lambda left, right: bool(left < right),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`internetMessageId eq '<…>'`; the value as the property has it in JSON."""

    name: str
    operator: str
    value: str | bool

    def holds(self, value: object) -> bool:
        if type(value) is not type(self.value):
            raise _bad_filter()
        return _OPERATORS[self.operator](value, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a look-up asked for."""

    filters: tuple[Comparison, ...] = ()
    item_class: str = ""
    """The only class of items that is wanted, or with `*` at its end how it begins; empty: all."""
    expand: tuple[int, ...] = ()
    """Tags of the extended properties that are wanted besides."""
    select: frozenset[str] = frozenset()
    top: int = 10
    skip: int = 0
    newest_first: bool = True

    @classmethod
    def of(cls, request: web.Request) -> "Query":
        """Raises `GraphError` for what cannot be parsed."""
        given = request.query
        for name in given:
            if name.startswith("$") and name not in _KNOWN:
                raise GraphError("BadRequest", f"Query option '{name}' is not supported.")
        filters, item_class = _filters(given.get("$filter", ""))
        return cls(
            filters=filters,
            item_class=item_class,
            select=_select(given.get("$select", "")),
            expand=_expand(given.get("$expand", "")),
            top=_number(given.get("$top", "10"), "$top", range(1, 1001)),
            skip=_number(given.get("$skip", "0"), "$skip", range(1_000_000_000)),
            newest_first=not given.get("$orderby", "").lower().endswith(" asc"),
        )

    def message_id(self) -> str | None:
        """The one Message-ID that can match, if the filter names one."""
        for one in self.filters:
            if (one.name, one.operator) == ("internetMessageId", "eq"):
                return str(one.value)
        return None


def _filters(text: str) -> tuple[tuple[Comparison, ...], str]:
    """The comparisons, and the class of items."""
    found: list[Comparison] = []
    start, item_class = 0, ""
    while start < len(text):
        if wanted := _CLASS.match(text, start):
            item_class = wanted[2] if wanted[3] is None else f"{wanted[3]}*"
            start = wanted.end()
            continue
        one = _COMPARISON.match(text, start)
        if one is None or not known_property(one[1]):
            raise _bad_filter()
        found.append(Comparison(one[1], one[2].lower(), _literal(one[3])))
        start = one.end()
    return tuple(found), item_class


def _literal(text: str) -> str | bool:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text in ("true", "false"):
        return text == "true"
    if _DATE.match(text):
        return text  # compares as text, since all dates and times are in UTC
    raise _bad_filter()


def _select(text: str) -> frozenset[str]:
    names: Iterable[str] = filter(None, (name.strip() for name in text.split(",")))
    return frozenset(names)


def _expand(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    inner = _EXPAND.match(text)
    tags = [_EXPANDED.match(one.strip()) for one in inner[1].split(" or ")] if inner else [None]
    if not all(tags):
        raise GraphError("BadRequest", f"Query option '$expand={text}' is not supported.")
    return tuple(int(tag[1], 16) for tag in tags if tag)


def _number(text: str, name: str, allowed: range) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in allowed:
        raise GraphError("BadRequest", f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _bad_filter() -> GraphError:
    return GraphError("BadRequest", "Invalid filter clause")
