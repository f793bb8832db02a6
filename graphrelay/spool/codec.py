"""Values of the model to JSON and back, by their type annotations.

The spool keeps plans, origins, envelopes and outcomes as JSON in one column each, so that fields
can be added without a change of schema. Reading is therefore tolerant: an unknown field is ignored,
and a missing one takes its default. A missing field without a default is an error, since a guess
could send mail in somebody else's name.

Supported: None, str, int, float, bool, Literal, StrEnum, datetime, timedelta, tuples, Address,
frozen dataclasses, and unions of dataclasses (distinguished by `kind`). Any other annotation is
refused when the codec is created, not when mail arrives.
"""

import json
from collections.abc import Callable, Hashable
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from graphrelay.model import Address, DraftProgress, Envelope, Origin, Outcome, Plan

T = TypeVar("T")

_to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 in UTC: how every time is stored."""
    return (moment - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


class Codec(Generic[T]):
    """Converts between a value and its JSON text. Both directions are cached for values that
    recur.
    """

    def __init__(self, annotation: Any) -> None:
        write, read = _pair(annotation)

        def to_text(value: Hashable) -> str:
            return _to_json(write(value))

        def to_value(text: str) -> Any:
            return read(json.loads(text))

        self._text: Callable[[Any], str] = lru_cache(256)(to_text)
        self._value: Callable[[str], Any] = lru_cache(256)(to_value)

    def text(self, value: T) -> str:
        return self._text(value)

    def value(self, text: str) -> T:
        """Raises `ValueError` for a text that is not a complete value."""
        try:
            value: T = self._value(text)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"unreadable: {error!r} in {text[:80]!r}") from error
        return value


_EARLIER_NAMES = {"dsn_requests": "asked", "ret": "returned"}
"""By the name of a field: its earlier name, under which mail may still be stored."""

Write = Callable[[Any], Any]
Read = Callable[[Any], Any]


@cache
def _pair(annotation: Any) -> tuple[Write, Read]:
    if annotation is Address:
        return (lambda address: [address.local, address.domain], lambda pair: Address(*pair))
    if annotation is datetime:
        return microseconds, moment
    if annotation is timedelta:
        return (lambda value: value // MICROSECOND), (lambda value: timedelta(microseconds=value))
    if annotation in (str, int, float, bool, NoneType):
        return _as_is, _checked(annotation)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return (lambda member: member.value), annotation
    if get_origin(annotation) is Literal:
        return _as_is, _one_of(get_args(annotation))
    if get_origin(annotation) is tuple and get_args(annotation)[1:] == (...,):
        return _tuple(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _union(get_args(annotation))
    if is_dataclass(annotation):
        return _dataclass(annotation)
    raise TypeError(f"no codec for {annotation!r}")


def _as_is(value: Any) -> Any:
    return value


def _checked(kind: type) -> Read:
    accepted = (int, float) if kind is float else kind

    def read(value: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{value!r} is not {kind.__name__}")
        return value

    return read


def _one_of(allowed: tuple[Any, ...]) -> Read:
    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {allowed}")
        return value

    return read


def _tuple(item: Any) -> tuple[Write, Read]:
    write, read = _pair(item)
    return (lambda values: [write(v) for v in values]), (lambda values: tuple(map(read, values)))


def _dataclass(kind: Any) -> tuple[Write, Read]:
    hints = get_type_hints(kind)
    members = [(f, *_pair(hints[f.name])) for f in fields(kind)]

    def write_all(value: Any) -> dict[str, Any]:
        return {f.name: write(getattr(value, f.name)) for f, write, _ in members}

    def read_all(data: Any) -> Any:
        found: dict[str, Any] = {}
        for f, _, read in members:
            name = f.name if f.name in data else _EARLIER_NAMES.get(f.name, f.name)
            if name in data:
                found[f.name] = read(data[name])
            elif f.default is MISSING and f.default_factory is MISSING:
                raise ValueError(f"{kind.__name__} without {f.name}")
        return kind(**found)

    return write_all, read_all


def _union(kinds: tuple[Any, ...]) -> tuple[Write, Read]:
    present = tuple(kind for kind in kinds if kind is not NoneType)
    write, read = _pair(present[0]) if len(present) == 1 else _tagged(present)
    if len(present) == len(kinds):
        return write, read
    return (
        lambda value: None if value is None else write(value),
        lambda data: None if data is None else read(data),
    )


def _tagged(kinds: tuple[Any, ...]) -> tuple[Write, Read]:
    if not all(is_dataclass(kind) for kind in kinds):
        raise TypeError(f"no codec for a union of {kinds}")
    writers = {kind: _pair(kind)[0] for kind in kinds}
    readers = {kind.__name__: _pair(kind)[1] for kind in kinds}

    def write(value: Any) -> dict[str, Any]:
        return {"kind": type(value).__name__, **writers[type(value)](value)}

    def read(data: Any) -> Any:
        if data["kind"] not in readers:
            raise ValueError(f"{data['kind']!r} is none of {sorted(readers)}")
        return readers[data["kind"]](data)

    return write, read


PLAN: Codec[Plan] = Codec(Plan)
ORIGIN: Codec[Origin] = Codec(Origin)
ENVELOPE: Codec[Envelope] = Codec(Envelope)
OUTCOME: Codec[Outcome] = Codec(Outcome)
DRAFT: Codec[DraftProgress] = Codec(DraftProgress)
