"""What a power cut leaves of a recorded run.

A disk keeps what was synced. What was only written may be there, or not, or in part, in any order;
a name that was made, changed or taken away may be so or not until its directory was synced. From
the record (faults.c) of everything that a process did, any such disk can be built, at any moment.

This is stricter than ext4, which makes a new file's name durable together with its first fsync:
what holds here does not depend on guarantees of a particular file system.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEAD = struct.Struct("=cqqIQ")
SECTOR = 512


@dataclass(frozen=True)
class Step:
    """One record."""

    kind: str
    offset: int
    path: str
    data: bytes


def steps(record: Path) -> Iterator[Step]:
    octets = record.read_bytes()
    at = 0
    while at < len(octets):
        kind, _, offset, path_size, data_size = HEAD.unpack_from(octets, at)
        at += HEAD.size
        path = octets[at : at + path_size].decode()
        data = octets[at + path_size : at + path_size + data_size]
        at += path_size + data_size
        yield Step(kind.decode(), offset, path, data)


@dataclass
class File:
    """Its synced octets, and what was done to it since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.durable, step)
        self.pending.clear()

    def after_cut(self, chance: random.Random, survival: float) -> bytes:
        octets = bytearray(self.durable)
        for step in self.pending:
            if step.kind == "z":
                if chance.random() < survival:
                    _apply(octets, step)
                continue
            for start in range(0, len(step.data), SECTOR):
                if chance.random() < survival:
                    piece = step.data[start : start + SECTOR]
                    _apply(octets, Step("w", step.offset + start, step.path, piece))
        return bytes(octets)


def _apply(octets: bytearray, step: Step) -> None:
    if step.kind == "z":
        size = step.offset
        octets[size:] = b"" if size <= len(octets) else bytes(size - len(octets))
        return
    end = step.offset + len(step.data)
    if len(octets) < end:
        octets.extend(bytes(end - len(octets)))
    octets[step.offset : end] = step.data


class Disk:
    """Takes the steps of a run, one after the other."""

    def __init__(self) -> None:
        self._now: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._changes: dict[str, list[tuple[str, File | None]]] = {}
        self.told: list[str] = []

    def take(self, step: Step) -> None:
        match step.kind:
            case "a":
                self.told.append(step.data.decode())
            case "c":
                self._name(step.path, File())
            case "w" | "z":
                self._now[step.path].pending.append(step)
            case "f" if step.path in self._now:
                self._now[step.path].sync()
            case "f":
                self._sync_directory(step.path)
            case "u":
                self._name(step.path, None)
            case "r" | "l":
                self._name(step.data.decode(), self._now[step.path])
                if step.kind == "r":
                    self._name(step.path, None)

    def _name(self, path: str, file: File | None) -> None:
        _change(self._now, path, file)
        directory = path.rpartition("/")[0]
        self._changes.setdefault(directory, []).append((path, file))

    def _sync_directory(self, directory: str) -> None:
        for path, file in self._changes.pop(directory, []):
            _change(self._durable, path, file)

    def cut(self, base: str, target: Path, chance: random.Random, survival: float) -> None:
        """Build below `target` what stood below `base`."""
        names = dict(self._durable)
        for changes in self._changes.values():
            kept = len(changes) if survival == 1 else chance.randint(0, len(changes))
            kept = 0 if survival == 0 else kept
            for path, file in changes[:kept]:
                _change(names, path, file)
        (target / "bodies").mkdir(parents=True)
        for path, file in names.items():
            if not path.endswith("-shm"):  # shared memory: never read after a reboot
                place = target / path.removeprefix(base).lstrip("/")
                place.write_bytes(file.after_cut(chance, survival))


def _change(names: dict[str, File], path: str, file: File | None) -> None:
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file
