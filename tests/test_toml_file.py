"""Configuration files of any content are read in bounded time."""

import contextlib
import time
from pathlib import Path

import pytest

from graphrelay.toml_file import LARGEST, TooMuch, parse, read

NUMBERED = "\n".join(f"a{f'.a{number}' * 40} = 1" for number in range(LARGEST // 250))


def test_marks_and_line_ends_of_other_systems_make_no_difference(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for octets in (b"a = 1\nb = 2\n", b"\xef\xbb\xbfa = 1\r\nb = 2\r\n", b"a = 1\rb = 2\r"):
        file.write_bytes(octets)
        assert parse(read(file)) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[log]\na" + ".a" * 60 + " = 1\n", 2),
        ("a" + ".a" * 400_000 + " = 1", 1),
        ("[" + "a." * 400_000 + "b]", 1),
        (r'"\"".' * 200_000 + "a = 1", 1),
        ("x = {" + '"a" . ' * 150_000 + "b = 1}", 1),
    ],
)
def test_a_key_of_many_parts_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(TooMuch, match="a key of more than 50 parts") as caught:
        parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text", [NUMBERED, "x = " + "[" * LARGEST, "a" * LARGEST, "a" + ".a" * 400_000 + " = 1"]
)
def test_what_is_within_the_limits_or_not_takes_seconds(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(ValueError):
        parse(text)
    assert time.process_time() - began < 20


def test_a_device_without_an_end_is_too_large() -> None:
    with pytest.raises(TooMuch, match="larger than 1 MiB"):
        read(Path("/dev/zero"))


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("#" * LARGEST)
    assert parse(read(file)) == {}
    file.write_text("#" * (LARGEST + 1))
    with pytest.raises(TooMuch):
        read(file)
