"""Faults: what the sandbox does wrong on purpose, as values that a test or a person switches on.

A fault is a small frozen dataclass of a registered kind; its common fields say where and how
often it strikes. The kinds that strike any request are here and are carried out by the server;
the Entra and the Graph half register kinds of their own with `@fault_kind` and ask for them with
`Faults.take` where they would strike. All of them go to JSON and back, so that another process can
set them.

    faults.on(Answer(status=503, part="graph", times=2))
    faults.on(CutAfter(path="/v1.0/me/sendMail", every=3))
"""

import asyncio
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

FaultType = TypeVar("FaultType", bound="Fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where and how often a fault strikes; every kind has these fields besides its own."""

    times: int | None = None
    """How often it strikes before it is gone; `None` until it is switched off."""
    every: int = 1
    """It strikes at each n-th request that it matches."""
    method: str = ""
    path: str = ""
    """What the request's path starts with."""
    part: str = ""
    """`entra`, `graph` or `imds`; empty for all."""
    mailbox: str = ""
    """UPN or address of the mailbox in the URL, or of the signed-in user; empty for all."""


KINDS: dict[str, type[Fault]] = {}


def fault_kind(cls: type[FaultType]) -> type[FaultType]:
    """Register a kind of fault under its name in kebab case (`CutAfter` -> `cut-after`)."""
    KINDS[kind_of(cls)] = cls
    return cls


def kind_of(cls: type[Fault]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Fault):
    """Answer this, and process nothing."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with the names' letter case as given: `(("retry-after", "2.128"),)`."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAfter(Fault):
    """Process the request, then answer this in place of the true answer (504 after accept)."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraHeaders(Fault):
    """Answer truly, with these headers besides (202 with Retry-After)."""

    headers: tuple[tuple[str, str], ...]


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class CutBefore(Fault):
    """Close the connection once the head of the request has come; process nothing."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class CutAfter(Fault):
    """Process the request whole, then close the connection without an answer."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Fault):
    """Process, but answer only when this time has gone by since the head of the request came."""

    seconds: float

    async def hold_back(self, came: float) -> None:
        """`came` by the clock of the event loop."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, came + self.seconds - now))


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Stall(Fault):
    """Process nothing until this fault is switched off; then go on as if nothing had been."""


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Endless(Fault):
    """Process nothing, and answer until the client hangs up: with a body, with a body of which an
    octet comes every `seconds`, or with informational answers (102)."""

    what: Literal["body", "octets", "informational"]
    seconds: float = 3.0


@fault_kind
@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed(Fault):
    """Answer truly, in gzip, though nobody asked for it, with this much white space before it."""

    padding: int = 0


class Faults:
    """The faults that are switched on; the one place that counts how often each has struck."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._changed = asyncio.Event()

    def on(self, *faults: Fault) -> None:
        self._active += [_Active(fault) for fault in faults]

    def off(self, *faults: Fault) -> None:
        """Switch off these very faults; those that are gone already do not matter."""
        self._active = [one for one in self._active if one.fault not in faults]
        self._wake()

    def clear(self) -> None:
        """Let all be well."""
        self._active = []
        self._wake()

    def active(self) -> tuple[Fault, ...]:
        return tuple(one.fault for one in self._active)

    def __bool__(self) -> bool:
        return bool(self._active)

    def take(
        self,
        kind: type[FaultType],
        *,
        method: str = "",
        path: str = "",
        mailbox: Iterable[str] = (),
        where: Callable[[FaultType], bool] | None = None,
    ) -> FaultType | None:
        """The first fault of this kind that strikes here and now; counts as one stroke.

        `mailbox` holds every name of the mailbox in question: UPN, object id, addresses. `where`
        says whether the conditions hold that only this kind has.
        """
        names = {name.casefold() for name in mailbox}
        for one in self._active:
            fault = one.fault
            if not isinstance(fault, kind) or not _matches(fault, method, path, names):
                continue
            if (where is None or where(fault)) and one.strike():
                if one.left == 0:
                    self._active.remove(one)
                return fault
        return None

    async def while_on(self, fault: Fault) -> None:
        """Return when `fault` has been switched off."""
        while any(one.fault is fault for one in self._active):
            await self._changed.wait()

    def replace(self, faults: Iterable[Fault]) -> None:
        """Switch on exactly these."""
        self._active = [_Active(fault) for fault in faults]
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Active:
    __slots__ = ("fault", "left", "seen")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self.seen = 0

    def strike(self) -> bool:
        self.seen += 1
        if self.left == 0 or self.seen % self.fault.every:
            return False
        if self.left is not None and not isinstance(self.fault, Stall):
            self.left -= 1
        return True


def part_of(path: str) -> str:
    """Which part of the cloud serves `path`."""
    if path.startswith(("/metadata/", "/msi/")):
        return "imds"
    return "graph" if path.startswith(("/v1.0/", "/beta/", "/api/v2.0/", "/upload/")) else "entra"


def _matches(fault: Fault, method: str, path: str, mailbox: set[str]) -> bool:
    return (
        (not fault.method or fault.method == method)
        and path.startswith(fault.path)
        and (not fault.part or fault.part == part_of(path))
        and (not fault.mailbox or fault.mailbox.casefold() in mailbox)
    )


_ANY = (0, 1_000_000_000)
_RANGES = {"every": (1, _ANY[1]), "status": (200, 599)}
"""What the numbers in a fault may be: beyond it the server could not carry the fault out."""


class BadFaultError(ValueError):
    """What was sent as a fault is none; the text says why."""


def to_json(fault: Fault) -> dict[str, Any]:
    """The fault as JSON: its kind, and the fields that differ from their defaults."""
    fields = {
        field.name: getattr(fault, field.name)
        for field in dataclasses.fields(fault)
        if getattr(fault, field.name) != field.default
    }
    return {"kind": kind_of(type(fault)), **fields}


def from_json(value: object) -> Fault:
    """The fault that `to_json` wrote. Raises `BadFaultError`."""
    if not isinstance(value, Mapping):
        raise BadFaultError(f"a fault is an object, not {value!r}")
    given = dict(value)
    kind = KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise BadFaultError(f"kind: one of {', '.join(sorted(KINDS))}")
    hints = get_type_hints(kind)
    if unknown := sorted(given.keys() - hints.keys()):
        raise BadFaultError(
            f"{kind_of(kind)} has no {', '.join(unknown)}; it has {', '.join(hints)}"
        )
    try:
        return kind(**{name: _typed(name, hints[name], item) for name, item in given.items()})
    except TypeError as problem:
        raise BadFaultError(f"{kind_of(kind)}: {problem}") from problem


def _typed(name: str, hint: Any, value: Any) -> Any:
    """`value` as the type of its field: JSON has no tuples, and its numbers have one type."""
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_typed(name, inner[0], item) for item in value)
        if len(inner) == len(value):
            return tuple(_typed(name, *pair) for pair in zip(inner, value, strict=True))
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        raise BadFaultError(f"{name}: {value!r} is none of {', '.join(map(str, get_args(hint)))}")
    plain = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if type(value) in (int, float):
        least, most = _RANGES.get(name, _ANY)
        if not least <= value <= most:  # NaN is in none
            raise BadFaultError(f"{name}: from {least} to {most}, not {value!r:.50}")
    if type(value) is int and float in plain and int not in plain:
        return float(value)
    if type(value) in plain:
        return value
    raise BadFaultError(f"{name}: {value!r} is not {getattr(hint, '__name__', hint)}")
