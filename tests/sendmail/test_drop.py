"""Leaving a message in the drop folder."""

import os
import stat
from pathlib import Path

import pytest

from graphrelay.sendmail import drop
from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message


def written(text: bytes = b"Subject: x\n\nhello\n") -> Message:
    message = Message()
    message.add(text)
    message.complete()
    return message


def test_a_file_holds_the_envelope_and_the_counted_message(tmp_path: Path) -> None:
    envelope = Envelope("wp@contoso.com", ["a@b", "jürgen@x"])
    envelope.notify = "NEVER"
    (name,) = drop.leave(str(tmp_path), envelope, written())
    assert (tmp_path / name).read_bytes() == (
        b"graphrelay drop 1\r\n"
        b"MAIL FROM:<wp@contoso.com>\r\n"
        b"RCPT TO:<a@b> NOTIFY=NEVER\r\n"
        + "RCPT TO:<jürgen@x> NOTIFY=NEVER\r\n".encode()
        + b"BDAT 000000000000000018 LAST\r\n"
        b"Subject: x\n\nhello\n"
    )


def test_its_group_may_read_it_and_nobody_else(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        (name,) = drop.leave(str(tmp_path), Envelope("", ["a@b"]), written())
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


def test_names_sort_by_time_and_never_meet(tmp_path: Path) -> None:
    envelope = Envelope("", ["a@b"])
    names = [name for _ in range(20) for name in drop.leave(str(tmp_path), envelope, written())]
    assert names == sorted(set(names))
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.parametrize("failing", ["write", "fchmod", "fsync", "rename"])
def test_what_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"):
        drop.leave(str(tmp_path), Envelope("", ["a@b"]), written())
    assert list(tmp_path.iterdir()) == []


def test_the_name_is_synced_behind_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)

        def noted(*arguments: object, name: str = name, real: object = real) -> object:
            steps.append(name)
            return real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(os, name, noted)
    drop.leave(str(tmp_path), Envelope("", ["a@b"]), written())
    assert steps == ["fsync", "rename", "fsync", "fsync"]


def test_very_many_recipients_get_several_files_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"user{number}@example.org" for number in range(1001)]
    names = drop.leave(str(tmp_path), Envelope("a@b", people), written())
    assert len(names) == 3
    texts = [(tmp_path / name).read_bytes() for name in names]
    assert [text.count(b"RCPT TO:") for text in texts] == [500, 500, 1]
    assert all(text.endswith(b"hello\n") for text in texts)
    for name in names:
        (tmp_path / name).unlink()
    renamed: list[object] = []
    real = os.rename

    def twice(old: str, new: str) -> None:
        if len(renamed) == 2:
            raise OSError(5, "Input/output error")
        renamed.append(new)
        real(old, new)

    monkeypatch.setattr(os, "rename", twice)
    with pytest.raises(OSError, match="Input/output"):
        drop.leave(str(tmp_path), Envelope("a@b", people), written())
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        drop.leave(str(tmp_path / "missing"), Envelope("", ["a@b"]), written())
