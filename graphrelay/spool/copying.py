"""A queue copied from one engine to the other, row by row, and compared.

    source ──rows, in the order of their keys──▶ missing or different? ──▶ target
       └────────────────── every row and every body, hashed ──────────────────┘

Both engines keep the same rows (`TABLES`). What an engine derives from them, or needs for itself
(lanes, leases, file names), is none of them. `bring_up_to_date` writes only what the target does
not have yet, so it continues a copy that was interrupted; `compare` changes nothing.

The caller sees to it that nobody writes to either side.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any, Literal, Protocol

Row = tuple[Any, ...]
"""Beginning with an integer, its key. Text as the relay has it, moments in microseconds."""
Progress = Callable[[Literal["copied", "compared"], str, int, int], None]
"""Called with what is done, the table, how many of its rows are done, and how many it has."""

PORTION = 500
"""Rows that are written in one transaction."""
PORTION_OCTETS = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """What both engines keep under this name."""

    name: str
    columns: tuple[str, ...]
    grouped: bool = False
    """All rows with the same first column are one `Row`: that, and the others, sorted."""

    @property
    def key(self) -> str:
        return self.columns[0]


def _table(name: str, columns: str, *, grouped: bool = False) -> CopiedTable:
    return CopiedTable(name, tuple(columns.split()), grouped)


BODIES = _table("bodies", "message size prefix octets")
"""`octets` is `None` for a large body, which is read by itself."""
TABLES = (
    _table(
        "messages",
        "id queue_id received_at sender sender_key client origin message_id subject size done_at",
    ),
    BODIES,
    _table(
        "submissions",
        "id message part received_at sender_key login client size envelope plan account mailbox"
        " attempts state not_before reason done_at",
    ),
    _table("recipients", "submission address_key", grouped=True),
    _table("in_flight", "submission number started_at client_request_id"),
    _table("log", "id at submission what reason number started_at outcome"),
    _table(
        "refusals",
        "id since at times client listener stage reply reason login sender recipient sender_key"
        " recipient_key",
    ),
    _table("drafts", "submission progress"),
    _table("left_drafts", "submission draft account mailbox", grouped=True),
    _table("readings", "submission starts process"),
)
NUMBERED = ("messages", "submissions", "log", "refusals")
"""Tables whose ids are never used again, even if their row is gone."""


class RowSource(Protocol):
    """One of the two queues, to be read."""

    def count(self, table: CopiedTable) -> int: ...

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        """In the order of their keys, whatever is written meanwhile."""
        ...

    def body(self, message: int) -> Iterator[bytes]:
        """The octets of a large one, in pieces; fewer than its size if they are lost."""
        ...

    def secrets(self) -> dict[str, bytes]:
        """The authorizations by name, sealed as they are."""
        ...

    def last_ids(self) -> dict[str, int]:
        """Of each of `NUMBERED`, the greatest id that was ever used."""
        ...


class RowTarget(RowSource, Protocol):
    """The other one. Each call is a transaction of its own."""

    def put(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        """Add these rows, or replace those with the same keys; groups are added only."""
        ...

    def put_large(self, row: Row, pieces: Iterable[bytes]) -> None:
        """The same for a large body."""
        ...

    def remove(self, table: CopiedTable, keys: Sequence[int]) -> None: ...

    def put_secrets(self, secrets: dict[str, bytes]) -> None:
        """These, and no others."""
        ...

    def complete(self, last_ids: dict[str, int]) -> None:
        """All rows are there: make what the engine derives from them."""
        ...


class QueueToCopy(Protocol):
    """A whole queue, of which no relay sees a part, and which no relay uses meanwhile."""

    def has_mail(self) -> bool:
        """Whether there is a queue with mail, or a mail log. Raises `CannotCopy`."""
        ...

    def to_read(self) -> RowSource:
        """The queue, which nobody can change from now on. Raises `CannotCopy`."""
        ...

    def to_write(self) -> RowTarget:
        """A copy beside it, begun or continued. Raises `CannotCopy`."""
        ...

    def put_in_place(self, now: datetime) -> None:
        """The copy becomes the queue, at once and durably. Raises `CannotCopy`."""
        ...

    def set_aside(self, now: datetime) -> str:
        """Keep the queue where no relay sends from it; where."""
        ...


@dataclass(frozen=True, slots=True)
class Copied:
    """Both sides agree, and the target is the queue from now on."""

    tables: list["Compared"]
    before: bool
    """Whether the target had all of it already."""
    aside: str
    """Where the source is kept."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A table that is the same on both sides."""

    table: str
    rows: int
    octets: int
    """Of bodies."""
    digest: str
    """SHA-256 of all rows and bodies, in hexadecimal."""


class CannotCopy(Exception):  # noqa: N818 (a condition that a person can change)
    """One of the sides is not to be copied now; the text says what to do."""


class NotTheSame(Exception):  # noqa: N818 (what was found)
    """The two sides differ; the text says where."""


# --- Copying -------------------------------------------------------------------------------------


def copy_queue(
    source: QueueToCopy, target: QueueToCopy, progress: Progress, now: datetime
) -> Copied:
    """Copy, compare, put the copy in its place, and set the source aside. After an interruption it
    is called again. Raises `CannotCopy`, `NotTheSame`."""
    ours = source.to_read()
    if before := target.has_mail():
        try:
            compared = compare(ours, target.to_read(), progress)
        except NotTheSame as error:
            raise CannotCopy(f"the target has another queue already ({error})") from error
    else:
        copy = target.to_write()
        bring_up_to_date(ours, copy, progress)
        compared = compare(ours, copy, progress)
        target.put_in_place(now)
    return Copied(compared, before, source.set_aside(now))


def bring_up_to_date(source: RowSource, target: RowTarget, progress: Progress) -> None:
    """Give the target every row of the source, and no other."""
    gone = [(table, _bring(table, source, target, progress)) for table in TABLES]
    for table, keys in reversed(gone):  # rows before those that they refer to
        for start in range(0, len(keys), PORTION):
            target.remove(table, keys[start : start + PORTION])
    target.put_secrets(source.secrets())
    target.complete(source.last_ids())


def _bring(
    table: CopiedTable, source: RowSource, target: RowTarget, progress: Progress
) -> list[int]:
    """The keys of rows that only the target has."""
    gone, portion, replaced = list[int](), list[Row](), list[int]()
    total, seen, size = source.count(table), 0, 0

    def write() -> None:
        nonlocal size
        if table.grouped and replaced:
            target.remove(table, replaced)
        if portion:
            target.put(table, portion)
        progress("copied", table.name, seen, total)
        portion.clear()
        replaced.clear()
        size = 0

    for ours, theirs in _matched(source.rows(table), target.rows(table), gone):
        seen += 1
        if ours != theirs:
            if theirs is not None:
                replaced.append(theirs[0])
            if is_large(table, ours):
                target.put_large(ours, source.body(ours[0]))
            else:
                portion.append(ours)
                size += sum(len(value) for value in ours if isinstance(value, bytes))
        if seen % PORTION == 0 or size >= PORTION_OCTETS:
            write()
    write()
    return gone


def _matched(
    ours: Iterator[Row], theirs: Iterator[Row], gone: list[int]
) -> Iterator[tuple[Row, Row | None]]:
    """Each of our rows, and theirs with the same key. The keys of theirs that we have not are added
    to `gone`."""
    other = next(theirs, None)
    for row in ours:
        while other is not None and other[0] < row[0]:
            gone.append(other[0])
            other = next(theirs, None)
        if other is not None and other[0] == row[0]:
            yield row, other
            other = next(theirs, None)
        else:
            yield row, None
    while other is not None:
        gone.append(other[0])
        other = next(theirs, None)


def is_large(table: CopiedTable, row: Row) -> bool:
    """Whether it is a body that is read by itself."""
    return table is BODIES and row[3] is None


def grouped(table: CopiedTable, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of the database as `Row`s."""
    if not table.grouped:
        yield from rows
        return
    for key, group in groupby(rows, itemgetter(0)):
        yield key, tuple(sorted(row[1:] for row in group))


def ungrouped(table: CopiedTable, rows: Iterable[Row]) -> list[Row]:
    """The opposite."""
    if not table.grouped:
        return list(rows)
    return [(key, *rest) for key, group in rows for rest in group]


# --- Comparing -----------------------------------------------------------------------------------


def compare(source: RowSource, target: RowSource, progress: Progress) -> list[Compared]:
    """Read both whole. Raises `NotTheSame`."""
    tables = [_compare(table, source, target, progress) for table in TABLES]
    return [*tables, _compare_secrets(source.secrets(), target.secrets())]


def _compare_secrets(ours: dict[str, bytes], theirs: dict[str, bytes]) -> Compared:
    if ours != theirs:
        names = sorted(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
        raise NotTheSame(f"the authorization {names[0]!r} is not the same")
    digest = hashlib.sha256(repr(sorted(theirs.items())).encode("utf-8", "surrogatepass"))
    return Compared("authorizations", len(ours), 0, digest.hexdigest())


def _compare(
    table: CopiedTable, source: RowSource, target: RowSource, progress: Progress
) -> Compared:
    total, rows, octets = source.count(table), 0, 0
    here, there = hashlib.sha256(), hashlib.sha256()
    for ours, theirs in zip_longest(source.rows(table), target.rows(table)):
        if ours is None or theirs is None or ours != theirs:
            key = (ours or theirs)[0]
            raise NotTheSame(f"{table.name}: the row {table.key} = {key} is not the same")
        here.update(repr(ours).encode("utf-8", "surrogatepass"))
        there.update(repr(theirs).encode("utf-8", "surrogatepass"))
        if is_large(table, ours):
            octets += _hash_body(source, ours[0], here)
            _hash_body(target, theirs[0], there)
            if here.digest() != there.digest():
                raise NotTheSame(f"{table.name}: the octets of message {ours[0]} are not the same")
        elif table is BODIES:
            octets += len(ours[3])
        rows += 1
        if rows % PORTION == 0:
            progress("compared", table.name, rows, total)
    progress("compared", table.name, rows, total)
    if here.digest() != there.digest():
        raise NotTheSame(f"{table.name}: the digests are not the same")
    return Compared(table.name, rows, octets, here.hexdigest())


def _hash_body(side: RowSource, message: int, digest: "hashlib._Hash") -> int:
    octets = 0
    for piece in side.body(message):
        digest.update(piece)
        octets += len(piece)
    return octets
