"""Worlds that differ from the strict one by one switch of the sandbox each, the check that finds
it, and what it says."""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType

from graphrelay.doctor.checks import CHECKS
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError, ExactRedirect
from graphrelay.sandbox.faults import ExtraHeaders, Fault, kind_of
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
from tests.doctor.practice import ADDRESS, differing, only, practice, strict


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
    setting("mime_draft_files", "kept", "draft-files", "its octets are kept"),
    setting("mime_draft_files", "left-out", "draft-files", "the file is left out"),
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


def worlds_of(family: ModuleType) -> list[Row]:
    """Those that the checks of one family find."""
    names = {check.name for check in CHECKS if check.run.__module__ == family.__name__}
    return [row for row in (*SETTINGS, *FAULTS) if row.check in names]


async def finds(row: Row, folder: Path) -> None:
    """Fails unless the check finds the difference, and nothing else."""
    async with practice(folder, strict(**row.settings)) as here:
        if row.fault is not None:
            here.world.cloud.faults.on(row.fault)
        found = differing(await here.visit(only(row.check)))
    assert found.keys() == {row.check}
    assert row.said in found[row.check]
