"""sendmail killed at each step."""

import os
import subprocess
import sys
from pathlib import Path

from graphrelay.drop import drop_file
from graphrelay.drop.drop_file import DropFile

TEXT = b"Subject: x\n\n" + b"a line\n" * 30_000


def call(folder: Path, *words: str) -> int:
    """Without a relay. The exit status."""
    done = subprocess.run(
        [sys.executable, "-m", *words, "-i", "-f", "wp@contoso.com", "anna@example.org"],
        input=TEXT,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "GRAPHRELAY_SOCKET": f"unix:{folder}/none",
            "GRAPHRELAY_DROP": str(folder),
        },
    )
    return done.returncode


def complete(path: Path) -> bool:
    octets = path.read_bytes()
    found = drop_file.read(octets, len(octets))
    return isinstance(found, DropFile) and octets[found.start :] == TEXT


def test_killed_at_any_step_it_leaves_a_whole_message_or_none(tmp_path: Path) -> None:
    found: list[tuple[int, list[str]]] = []
    for step in range(1, 40):
        folder = tmp_path / str(step)
        folder.mkdir()
        status = call(folder, "tests.sendmail.dying", str(step))
        left = sorted(folder.iterdir())
        assert all(complete(path) for path in left if path.suffix == ".mail")
        found.append((status, [path.suffix for path in left]))
        if status == 0:
            break
    *killed, (status, last) = found
    assert (status, last) == (0, [".mail"])
    assert all(status < 0 for status, _ in killed)
    assert [left for _, left in killed] == sorted((left for _, left in killed), key=order)
    assert {tuple(left) for _, left in killed} == {(), (".new",), (".mail",)}


def order(left: list[str]) -> int:
    return [[], [".new"], [".mail"]].index(left)
