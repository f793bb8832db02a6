"""The table of checks: as docs/doctor.md shows it, and with every switch of the sandbox."""

import dataclasses
import re

from graphrelay.assumptions import TRIED
from graphrelay.doctor.checks import CHECKS
from graphrelay.sandbox.faults import KINDS
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.doctor.page import PAGE, rows
from tests.doctor.worlds import FAULTS, SETTINGS
from tests.tools import ROOT


def test_the_checks_are_the_rows_of_the_table_in_its_order() -> None:
    assert [check.name for check in CHECKS] == [*TRIED]


def test_the_page_has_every_check_as_it_is() -> None:
    shown = rows("The checks")
    wanted = [
        [
            f"`{check.name}`",
            check.does,
            check.assumption.assumed,
            check.assumption.otherwise,
            check.must.value,
        ]
        for check in CHECKS
    ]
    assert shown == wanted


def test_every_test_that_the_page_names_exists() -> None:
    section = PAGE.split("\n## Where both answers are tested\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(lines) == 20
    for line in lines:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", line)
        assert named, line
        for file, name in named:
            text = (ROOT / "tests" / file).read_text("utf-8")
            assert f"def {name}(" in text, f"{file}::{name}"


NOT_TRIED = {
    # settings
    "recipient_limit": "it would take hundreds of recipients",
    "requests_per_10_minutes": "it would use up what the relay needs",
    "upload_octets_per_5_minutes": "it would use up what the relay needs",
    "access_policies": "of applications: test_applications.py",
    "keep_bodies": "nothing that anybody sees",
    # faults: not assumptions, but temporary failures
    "answer": "an outage",
    "answer-after": "an outage",
    "cached-identity": "of managed identities, of which status says when a token was issued",
    "compressed": "an outage",
    "cut-after": "an outage: test_visit.py",
    "cut-before": "an outage",
    "cut-mid-body": "an outage",
    "delay": "an outage",
    "endless": "an outage",
    "refresh-once": "stricter than Entra ID: for relays that share an authorization",
    "refuse": "an error of the catalogue",
    "refuse-after": "an error of the catalogue",
    "stall": "an outage",
    "token-refused": "a token's early end: test_revocation.py",
    "unknown-recipient": "an error of the catalogue",
}


def test_every_switch_is_tried_or_says_why_not() -> None:
    tried = {name for row in SETTINGS for name in row.settings}
    tried |= {row.switch for row in FAULTS}
    known = {field.name for field in dataclasses.fields(MailSettings)} | KINDS.keys()
    assert tried | NOT_TRIED.keys() == known
    assert tried & NOT_TRIED.keys() == set()
