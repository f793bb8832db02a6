"""What an event is, and how its values are shown.

    class Resumed(Event):           resumed account=… mailbox=… reason=…
        lane: Lane
        reason: str

An event is a value: its class names its fields, with their types and defaults, as a frozen
dataclass does. It is not one, since there are more than a hundred of these classes, most of which
a process never uses: the methods that `dataclass` compiles for each of them took a tenth of the
time in which the relay starts, and here all share the same.

The line has the name of the class and shows its fields in their order, unless `fields` is
overridden: events of mail take the relay's own values and choose what the line shows. Listeners
(the alerts) match types and read typed fields; no code compares names.

An event holds no body, no secret and no token.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal, Never, dataclass_transform

from graphrelay.model import Address, Answer

Value = str | int | float | bool | None | Sequence[str]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


@dataclass_transform(frozen_default=True)
class Event:
    """Something that happened."""

    level: ClassVar[Level]
    name: ClassVar[str]
    """The class's name, in lower case with hyphens."""
    __match_args__: ClassVar[tuple[str, ...]] = ()
    """The names of its fields."""

    def __init_subclass__(cls, level: Level = "info") -> None:
        cls.level = level
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        cls.__match_args__ = (*cls.__match_args__, *cls.__annotations__)  # type: ignore[misc]

    def __init__(self, *values: object, **named: object) -> None:
        """Raises `TypeError` unless each field has one value, or a default."""
        names, own = self.__match_args__, vars(self)
        if len(values) + len(named) == len(names):  # in their order, as most are
            own.update(zip(names, values, strict=False), **named)
            if (*own,) == names:
                return
            own.clear()
        given = dict(zip(names, values, strict=False))
        if len(values) > len(names) or not given.keys().isdisjoint(named):
            raise TypeError(f"{type(self).__name__}: more values than fields")
        given |= named
        for name in names:
            if name not in given and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__}: {name} is missing")
            own[name] = given.pop(name) if name in given else getattr(type(self), name)
        if given:
            raise TypeError(f"{type(self).__name__} has no {', '.join(given)}")

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"cannot set {name}: an event does not change")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"cannot delete {name}: an event does not change")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def fields(self) -> Mapping[str, Value]:
        """What the line shows. `queue_id`, if there is one, comes first and without a key."""
        return {name: plain(value) for name, value in vars(self).items()}


# --- How values are shown ------------------------------------------------------------------------


def plain(value: object) -> Value:
    """A moment to the second, a list as such, and anything else as its text."""
    match value:
        case datetime():
            return value.isoformat(timespec="seconds")
        case None | str() | int() | float():
            return value
        case tuple() | list():
            return list(value)
        case _:
            return str(value)


def path(of: Address | None) -> str:
    """In angle brackets, as SMTP has it."""
    return f"<{of}>" if of else "<>"


def paths(of: Sequence[Address]) -> list[str]:
    """The same of several."""
    return [path(one) for one in of]


def answer_of(answer: Answer) -> dict[str, Value]:
    """What Graph answered, where it did."""
    return {
        "http": answer.http_status,
        "code": answer.code or None,
        "request_id": answer.request_id or None,
    }
