"""Command lines from thirty years of sendmail."""

import os

import pytest

from graphrelay.sendmail.options import Options, parse
from graphrelay.sendmail.stop import Stop


def read(line: str) -> Options:
    return parse(["/usr/sbin/sendmail", *line.split()])


@pytest.mark.parametrize(
    ("line", "from_header", "dot_ends", "sender", "recipients"),
    [
        ("-t -i", True, False, None, []),
        ("-ti -fwww@shop.example", True, False, "www@shop.example", []),
        ("-i -f wp@contoso.com -- a@b.example", False, False, "wp@contoso.com", ["a@b.example"]),
        ("-FCronDaemon -i -odi -oem -oi -t -f root", True, False, "root", []),
        ("-FCronDaemon -odi -oem root", False, True, None, ["root"]),
        ("-r wp@contoso.com a@b c@d", False, True, "wp@contoso.com", ["a@b", "c@d"]),
        ("-oee -om -o7 -C /x -X /www/x.php -d0.1 -n -G -U a@b", False, True, None, ["a@b"]),
        ("-O IgnoreDots=false -h 3 -L tag -p smtp -Ac -Am -M id a@b", False, True, None, ["a@b"]),
        ("-O IgnoreDots a@b", False, False, None, ["a@b"]),
        ("-vbm a@b", False, True, None, ["a@b"]),
    ],
)
def test_callers_are_understood(
    line: str, from_header: bool, dot_ends: bool, sender: str | None, recipients: list[str]
) -> None:
    options = read(line)
    assert options.mode == "deliver"
    assert options.from_header is from_header
    assert options.dot_ends is dot_ends
    assert options.sender == sender
    assert options.recipients == recipients


@pytest.mark.parametrize(
    ("line", "mode"),
    [("-bs", "smtp"), ("-bs -i", "smtp"), ("-bp", "list"), ("-bi", "nothing"), ("-I", "nothing")],
)
def test_modes(line: str, mode: str) -> None:
    assert read(line).mode == mode


@pytest.mark.parametrize(("name", "mode"), [("mailq", "list"), ("newaliases", "nothing")])
def test_other_names_are_other_modes(name: str, mode: str) -> None:
    assert parse([f"/usr/bin/{name}"]).mode == mode


@pytest.mark.parametrize("line", ["-q", "-q15m", "-qIABC"])
def test_there_is_no_queue_to_run_here(line: str) -> None:
    assert read(line).mode == "nothing"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-bd", "graphrelay serve"),
        ("-bd -q15m", "graphrelay serve"),
        ("-bz", "no such mode"),
        ("-Z a@b", "unknown option -Z"),
        ("--read-recipients", "unknown option"),
        ("-f", "-f needs an argument"),
        ("-N sometimes a@b", "never, or some of"),
        ("-R some a@b", "full, hdrs"),
    ],
)
def test_what_is_not_understood_is_usage(line: str, told: str) -> None:
    with pytest.raises(Stop, match=told) as stop:
        read(line)
    assert stop.value.status == os.EX_USAGE


def test_options_behind_the_first_recipient_are_none() -> None:
    assert read("a@b -fx@y").recipients == ["a@b", "-fx@y"]


def test_notices_are_asked_for_as_smtp_writes_it() -> None:
    options = read("-N delay,failure -R hdrs -V job-7 a@b")
    assert (options.notify, options.returned, options.envelope_id) == (
        "DELAY,FAILURE",
        "HDRS",
        "job-7",
    )
    assert read("-N NEVER a@b").notify == "NEVER"


def test_quiet_is_an_error_mode() -> None:
    assert read("-oeq a@b").quiet
    assert not parse(["sendmail", "-o", "", "a@b"]).quiet
    assert read("-eq a@b").quiet
    assert not read("-oem a@b").quiet
