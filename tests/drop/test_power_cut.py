"""The power goes as soon as sendmail has ended.

Only what has reached the disk by then remains: an image of it is copied, and mounted. sendmail's
caller may not list the folder, and so cannot sync it; this test shows that on ext4 it is enough to
sync the file after its rename.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graphrelay.drop import DropFolder
from graphrelay.sendmail import drop
from tests.drop.folder import leave, names, somebody_else
from tests.tools import machine_cannot, needs, needs_root


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-o", "loop", image, at], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        machine_cannot("mounts", done.stderr)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def left_and_cut(public: Path) -> tuple[str, list[str]]:
    """What was submitted, and what exists when the power is back."""
    needs_root()
    mkfs = needs("mkfs")
    image, cut = public / "image", public / "cut"
    with image.open("wb") as opened:
        opened.truncate(64 << 20)
    subprocess.run([mkfs, "-q", image], check=True)
    with mounted(image, public / "disk") as disk:
        DropFolder.open(disk).close()
        os.sync()
        with somebody_else():
            name = leave(disk, text=b"x" * 100_000)
        shutil.copyfile(image, cut)
        written = (disk / "drop" / name).read_bytes()
    with mounted(cut, public / "after") as after:
        found = [one for one in names(after / "drop") if (after / "drop" / one).stat().st_size]
        if name in found:
            assert (after / "drop" / name).read_bytes() == written
        return name, found


def test_the_message_is_there_under_its_name(public: Path) -> None:
    name, found = left_and_cut(public)
    assert found == [name]


def test_without_the_last_sync_it_would_not_be(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop, "_sync_names", lambda *_: None)
    name, found = left_and_cut(public)
    assert name not in found
