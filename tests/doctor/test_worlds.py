"""Whatever a switch of the sandbox changes, the doctor finds it and names it.

Each row is one world that differs from the strict one by one switch. A switch that is in no row
is in `NOT_TRIED`, with the reason: a new one cannot be forgotten.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.doctor.finding import LeftOut
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError, ExactRedirect
from graphrelay.sandbox.faults import KINDS, ExtraHeaders, Fault, kind_of
from graphrelay.sandbox.graph.faults import (
    ChangedInTransport,
    ClassFilterRefused,
    DraftStuck,
    HeaderRefused,
    HeadersDropped,
    ItemNotFoundOnSend,
    NonDelivery,
    OversizeAnswer,
    SlowSentItems,
    StaleReplica,
    UploadAddress,
    UploadExpired,
)
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.doctor.practice import ADDRESS, HurriedClock, Practice, differing, only, practice, strict

Prepare = Callable[[Practice], None]


@dataclass(frozen=True)
class Row:
    """One switch, the check that finds it, and what it says."""

    switch: str
    check: str
    said: str
    settings: dict[str, object] = dataclasses.field(default_factory=dict)
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"{self.switch}: {self.check}"


def setting(name: str, value: object, check: str, said: str, **more: object) -> Row:
    return Row(f"{name}={value}"[:40], check, said, {name: value, **more})


def fault(one: Fault, check: str, said: str) -> Row:
    return Row(kind_of(type(one)), check, said, fault=one)


SETTINGS = [
    setting("request_limit", 4_194_304, "size-mime", "taken up to 4,100,000 octets; 4,300,000"),
    setting("request_limit", 4_194_304, "size-draft", "taken up to 4,100,000 octets; 4,300,000"),
    setting("request_limit", 4_194_304, "size-attachment", "taken up to 4,100,000 octets"),
    setting("request_limit", 60_000_000, "size-mime", "taken up to 48,000,000 octets"),
    setting("request_limit", 12_000_000, "size-draft", "taken up to 10,000,000 octets"),
    setting("oversize", "400", "size-mime", "4,100,000 refused: HTTP 400 BadRequest"),
    setting("oversize", "200", "size-mime", "4,100,000 refused: HTTP 200"),
    setting("message_limit", 3_000_000, "size-attachment", "ErrorMessageSizeExceeded",
            request_limit=4_300_001),
    setting("in_flight_limit", 5, "six-at-once", "5 served, 1 got HTTP 429"),
    setting("in_flight_limit", 9, "six-at-once", "6 served"),
    setting("in_flight_retry_after", None, "six-at-once", "with no Retry-After"),
    setting("promoted_headers", None, "x-headers", "kept"),
    setting("promoted_headers", None, "other-headers", "kept: Auto-Submitted, List-Id"),
    setting("promoted_headers", frozenset({"from", "to", "subject", "message-id", "date"}),
            "known-headers", "lost or changed: In-Reply-To, References, Importance, List-Unsub"),
    setting("send_from_alias", True, "from-alias", "From arrived with the alias"),
    setting("users_by_address", True, "path-address", "HTTP 202"),
    setting("permanent_delete", False, "draft-deleted", "permanentDelete: HTTP 400 BadRequest"),
    setting("ids_survive_sending", True, "draft-id", "it survives"),
    setting("aliases_resolved", False, "recipients", "the alias"),
    setting("report_class", "REPORT.IPM.Note.SMIME.NDR", "report",
            "class REPORT.IPM.Note.SMIME.NDR"),
    setting("reports_as_mime", False, "report",
            "as MIME: HTTP 500 ErrorMimeContentConversionFailed"),
    setting("upload_lifetime", timedelta(minutes=2), "upload", "lives until"),
    setting("attachment_minimum", 0, "upload", "1 MB taken"),
]  # fmt: skip

FAULTS = [
    fault(ExactRedirect(), "redirect", "without a slash valid, with one refused"),
    fault(ChangedAnswer(member="scope", value='"https://graph.example//Mail.Send"'),
          "token-answer", "https://graph.example//Mail.Send; read as"),
    fault(EntraError(aadsts=65001), "token", "Refused"),
    fault(ExtraHeaders(headers=(("Date", "Mon, 23 Nov 2020 12:00:00 GMT"),)), "clock",
          "seconds ahead"),
    fault(HeadersDropped(names=("list-unsubscribe",)), "known-headers",
          "lost or changed: List-Unsubscribe"),
    fault(HeaderRefused(name="List-Id"), "from", "InvalidInternetMessageHeader"),
    fault(ChangedInTransport(what="message-id"), "message-id", "another"),
    fault(ChangedInTransport(what="date"), "date", "Date: "),
    fault(ChangedInTransport(what="bcc"), "bcc-mime", "LEAKS"),
    fault(ChangedInTransport(what="bcc"), "bcc-draft", "LEAKS"),
    fault(ChangedInTransport(what="letters"), "octets", "with other characters"),
    fault(NonDelivery(recipient=ADDRESS, subject="bcc-mime-2"), "bcc-mime", "did not arrive"),
    fault(OversizeAnswer(answer="400"), "size-attachment", "HTTP 400 BadRequest"),
    fault(StaleReplica(times=1), "draft-fresh", "ErrorItemNotFound; found at look 2"),
    fault(ItemNotFoundOnSend(), "draft-sent", "sending it: HTTP 404 ErrorItemNotFound"),
    fault(DraftStuck(), "draft-sent", "still a draft"),
    fault(SlowSentItems(lookups=2), "draft-sent", "a draft at first; sent at look 3"),
    fault(ClassFilterRefused(), "report-filter", "refused: ErrorRestrictionTooComplex"),
    fault(UploadExpired(), "upload", "pieces answered HTTP 404 ErrorItemNotFound"),
    fault(UploadAddress(address="https://no-such-host.invalid/upload"), "upload",
          "host no-such-host.invalid"),
]  # fmt: skip


async def found_in(row: Row, folder: Path) -> dict[str, str]:
    async with practice(folder, strict(**row.settings)) as here:
        if row.fault is not None:
            here.world.cloud.faults.on(row.fault)
        return differing(await here.visit(only(row.check)))


@pytest.mark.parametrize("row", [*SETTINGS, *FAULTS], ids=str)
async def test_a_difference_is_found_and_named(row: Row, tmp_path: Path) -> None:
    found = await found_in(row, tmp_path)
    assert found.keys() == {row.check}
    assert row.said in found[row.check]


NOT_TRIED = {
    # settings
    "recipient_limit": "it would take hundreds of recipients",
    "requests_per_10_minutes": "it would use up what the relay needs",
    "upload_octets_per_5_minutes": "it would use up what the relay needs",
    "access_policies": "of applications: test_applications.py",
    "keep_bodies": "nothing that anybody sees",
    # faults: nothing that can be assumed, but what goes wrong now and then
    "answer": "an outage",
    "answer-after": "an outage",
    "cached-identity": "of managed identities, of which status says when a token was issued",
    "compressed": "an outage",
    "cut-after": "an outage: test_visit.py",
    "cut-before": "an outage",
    "cut-mid-body": "an outage",
    "delay": "an outage",
    "endless": "an outage",
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


async def test_a_clock_that_is_wrong_is_named(tmp_path: Path) -> None:
    clock = HurriedClock(timedelta(minutes=-10))
    async with practice(tmp_path, clock=clock) as here:
        found = differing(await here.visit(only("clock")))
    assert found["clock"].startswith("different: ")
    assert "seconds behind" in found["clock"]


async def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        here.world.cloud.faults.on(ChangedAnswer(member="scope", value='"Mail.Send"'))
        found = await here.visit(only("token", "draft-id"))
    assert "Unauthorized Grant Mail.Send.Shared, Mail.ReadWrite" in found["token"].seen
    assert found["draft-id"] == LeftOut("the account has no Mail.ReadWrite")


async def test_the_size_that_was_found_is_remembered(tmp_path: Path) -> None:
    async with practice(tmp_path, strict(request_limit=12_000_000)) as here:
        await here.visit(only("size-mime"))
        (learned,) = here.reach.limits.all_learned().values()
    assert learned.most == 10_000_000
    (kept,) = json.loads((tmp_path / "request-limits.json").read_text())
    assert kept[:3] == ["website", "website@contoso.com", 10_000_000]
