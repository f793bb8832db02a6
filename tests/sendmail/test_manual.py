"""The man page."""

import re
import subprocess

from graphrelay.sendmail import handover, options
from tests.tools import ROOT, needs

MANUAL = ROOT / "docs" / "sendmail.8"
HARMLESS_STYLE = ("operating system explicitly specified", "no blank before trailing delimiter")


def test_mandoc_finds_nothing_wrong() -> None:
    done = subprocess.run(
        [needs("mandoc"), "-Tlint", MANUAL], capture_output=True, text=True, check=False
    )
    said = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if not any(known in line for known in (*HARMLESS_STYLE, "referenced manual not found"))
        and "outdated mandoc.db" not in line
    ]
    assert said == []


def test_every_option_is_in_it() -> None:
    text = MANUAL.read_text("utf-8")
    known = options._FLAGS | options._WITH_ARGUMENT | options._ATTACHED_ONLY
    named = set(re.findall(r"\.It Fl o?([A-Za-z])", text))
    listed = re.search(r"\n\.Fl (A , .*)\nand\n\.Fl x", text)
    assert listed is not None
    assert known - {"c", "s"} <= named | set(listed[1].split(" , ")) | set("Ix")


def test_it_names_the_places_of_the_program() -> None:
    text = MANUAL.read_text("utf-8")
    assert f".It Pa {handover.SOCKET.removeprefix('unix:')}" in text
    assert f".It Pa {handover.DROP_FOLDER}" in text
