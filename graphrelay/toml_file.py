"""TOML as everything here reads it: limited, since tomllib takes minutes for a key of many parts or
for hundreds of thousands of keys. What asks a running relay where it is must answer at once.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

LARGEST = 1 << 20
"""Octets; room for thousands of accounts."""
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*+\.[ \t]*+){{50}}")


class TooMuch(ValueError):  # noqa: N818 (a condition with its place)
    """The file is beyond a limit; `line` is 0 where it is the file as a whole."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


def read(path: Path) -> str:
    """The text, without a byte order mark. Raises `OSError`, and `ValueError` where it is not UTF-8
    or too large."""
    with path.open("rb") as file:
        octets = file.read(LARGEST + 1)
    if len(octets) > LARGEST:
        raise TooMuch("larger than 1 MiB")
    text = octets.decode("utf-8").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str) -> dict[str, Any]:
    """Raises `ValueError`, of which `TooMuch` says where."""
    if deep := _DEEP.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise TooMuch("a key of more than 50 parts", line)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from error
