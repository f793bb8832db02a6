"""Every answer that Graph is known to give, and answers that are not known yet."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.outcome import CODES, outcome_of
from graphrelay.model import Delayed, Failed, Outcome, Paused, Relayed, Trouble, Uncertain

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def outcome(
    status: int, code: str = "", *, inner: str = "", body: bytes | None = None, **headers: str
) -> Outcome:
    if body is None:
        error = {"code": code, "message": "text", "innerError": {"code": inner}}
        body = json.dumps({"error": error}).encode() if code else b""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(HttpAnswer(status, named, body), "mine", NOW)


# The catalogue -------------------------------------------------------------------------------

NEVER = [
    (400, "ErrorInvalidRecipients", "5.1.3"),
    (400, "ErrorMimeContentInvalidBase64String", "5.6.0"),
    (400, "ErrorMimeContentInvalid", "5.6.0"),
    (400, "UnableToDeserializePostBody", "5.5.0"),
    (400, "RequestBodyRead", "5.5.0"),
    (400, "InvalidInternetMessageHeader", "5.6.0"),
    (400, "InvalidInternetMessageHeaderCollection", "5.6.0"),
    (400, "ErrorMessageSizeExceeded", "5.2.3"),
    (413, "RequestEntityTooLarge", "5.3.4"),
    (413, "BadRequest", "5.3.4"),
    (413, "", "5.3.4"),
    (400, "ErrorRecipientLimitExceeded", "5.5.3"),
    (400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", "5.5.0"),
    (400, "ErrorVirusDetected", "5.7.1"),
    (400, "ErrorMessageBlocked", "5.7.1"),
    (403, "ErrorSendAsDenied", "5.7.1"),
]


@pytest.mark.parametrize(("status", "code", "enhanced"), NEVER)
def test_what_will_never_go_is_failed(status: int, code: str, enhanced: str) -> None:
    found = outcome(status, code)
    assert isinstance(found, Failed)
    assert found.status == enhanced
    assert found.answer.code == code


LATER = [
    (404, "ErrorInvalidUser", "4.1.8"),
    (404, "ResourceNotFound", "4.1.8"),
    (404, "Request_ResourceNotFound", "4.1.8"),
    (404, "ErrorNonExistentMailbox", "4.1.8"),
    (404, "MailboxNotEnabledForRESTAPI", "4.2.1"),
    (400, "MailboxNotHostedInExchangeOnline", "4.2.1"),
    (403, "ErrorAccountDisabled", "4.2.1"),
    (429, "ApplicationThrottled", "4.4.5"),
    (429, "TooManyRequests", "4.4.5"),
    (429, "ErrorTooManyObjectsOpened", "4.4.5"),
    (429, "", "4.4.5"),
    (503, "ErrorServerBusy", "4.3.2"),
    (503, "serviceNotAvailable", "4.3.2"),
    (503, "ErrorMailboxStoreUnavailable", "4.3.2"),
    (503, "ErrorInsufficientResources", "4.3.2"),
    (503, "UnknownError", "4.3.2"),
    (503, "", "4.3.2"),
    (500, "ErrorMailboxMoveInProgress", "4.2.1"),
    (500, "ErrorMailboxFailover", "4.3.2"),
    (500, "ErrorADUnavailable", "4.3.2"),
    (409, "ErrorIrresolvableConflict", "4.3.2"),
    (412, "ErrorIrresolvableConflict", "4.3.2"),
    (404, "ErrorItemNotFound", "4.3.0"),
    (404, "itemNotFound", "4.3.0"),
    (404, "UnknownError", "4.3.0"),
    (404, "MailboxInfoStale", "4.1.8"),
    (429, "ErrorMessageThrottled", "4.4.5"),
    (403, "ErrorMessageTransientError", "4.3.2"),
    (400, "ErrorMessageTimeout", "4.3.2"),
    (503, "ResourceUnhealthy", "4.3.2"),
    (412, "PreconditionFailed", "4.3.2"),
    (421, "SomethingNew", "4.3.2"),
    (425, "SomethingNew", "4.3.2"),
    (400, "BadRequest", "4.3.0"),
    (400, "ErrorNobodyHasSeenYet", "4.3.0"),
    (405, "MethodNotAllowed", "4.3.0"),
    (408, "", "4.4.2"),
    (423, "", "4.3.2"),
    (507, "", "4.3.2"),
    (403, "SomethingNew", "4.7.0"),
    (404, "", "4.3.5"),
    (400, "", "4.3.5"),
    (302, "", "4.3.5"),
    (307, "", "4.3.5"),
]


@pytest.mark.parametrize(("status", "code", "enhanced"), LATER)
def test_what_may_go_later_is_delayed(status: int, code: str, enhanced: str) -> None:
    found = outcome(status, code)
    assert isinstance(found, Delayed)
    assert found.status == enhanced


@given(st.integers(400, 499), st.from_regex(r"[A-Za-z]{1,30}", fullmatch=True))
def test_a_code_that_nobody_knows_gives_no_mail_up(status: int, code: str) -> None:
    if status == 413 or code.casefold() in {known.casefold() for known in CODES}:
        return
    assert not isinstance(outcome(status, code), Failed)


def test_an_unknown_code_is_named_as_unknown() -> None:
    found = outcome(400, "BadRequest", inner="ErrorNobodyHasSeenYet")
    assert isinstance(found, Delayed)
    assert "does not know (ErrorNobodyHasSeenYet)" in found.reason


UNCLEAR = [
    (500, "ErrorInternalServerError"),
    (500, "ErrorInternalServerTransientError"),
    (503, "ErrorTimeoutExpired"),
    (500, "UnknownError"),
    (500, ""),
    (502, "UnknownError"),
    (502, "ErrorServerBusy"),
    (504, "UnknownError"),
    (504, ""),
    (520, ""),
]


@pytest.mark.parametrize(("status", "code"), UNCLEAR)
def test_what_may_have_been_sent_is_uncertain(status: int, code: str) -> None:
    assert isinstance(outcome(status, code), Uncertain)


LANES = [
    (403, "ErrorMessageSubmissionBlocked", Trouble.BLOCKED),
    (554, "ErrorMessageSubmissionBlocked", Trouble.BLOCKED),
    (403, "ErrorAccountSuspend", Trouble.BLOCKED),
    (403, "ErrorAccountSuspendShowTierUpgrade", Trouble.BLOCKED),
    (403, "ErrorOrganizationAccessBlocked", Trouble.BLOCKED),
    (400, "ErrorExceededMessageLimitShowTierUpgrade", Trouble.QUOTA),
    (400, "ErrorExceededMaxRecipientLimit", Trouble.QUOTA),
    (400, "ErrorExceededMaxRecipientLimitShowTierUpgrade", Trouble.QUOTA),
    (400, "ErrorExceededMaxRecipientLimitBlock", Trouble.QUOTA),
    (400, "ErrorExceededMessageLimit", Trouble.QUOTA),
    (429, "ErrorExceededMessageLimit", Trouble.QUOTA),
    (429, "ErrorExceededHourlyMessageLimit", Trouble.QUOTA),
    (429, "ErrorSubmissionQuotaExceeded", Trouble.QUOTA),
    (507, "ErrorQuotaExceeded", Trouble.QUOTA),
    (403, "ErrorQuotaExceeded", Trouble.QUOTA),
]


@pytest.mark.parametrize(("status", "code", "trouble"), LANES)
def test_what_holds_for_the_mailbox_pauses_its_lane(
    status: int, code: str, trouble: Trouble
) -> None:
    found = outcome(status, code, retry_after="60")
    assert isinstance(found, Paused)
    assert found.trouble is trouble
    assert found.retry_after == timedelta(minutes=1)


TOKENS = [
    (401, "InvalidAuthenticationToken"),
    (401, ""),
    (401, "SomethingNew"),
    (403, "ErrorAccessDenied"),
    (403, "Authorization_RequestDenied"),
    (401, "AuthenticationError"),
]


@pytest.mark.parametrize(("status", "code"), TOKENS)
def test_a_refused_token_pauses_the_lane(status: int, code: str) -> None:
    found = outcome(status, code)
    assert isinstance(found, Paused)
    assert found.trouble is Trouble.AUTHORIZATION


# What holds for all of them ------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_final_even_with_retry_after_and_an_error_inside(status: int) -> None:
    assert isinstance(outcome(status, "ErrorServerBusy", retry_after="10"), Relayed)


@pytest.mark.parametrize("code", CODES)
def test_letter_case_of_codes_does_not_matter(code: str) -> None:
    assert type(outcome(400, code.upper())) is type(outcome(400, code))


def test_text_decides_nothing() -> None:
    lie = b'{"error":{"code":"ErrorServerBusy","message":"ErrorInvalidRecipients 5.1.3 never"}}'
    assert isinstance(outcome(503, body=lie), Delayed)


def test_the_innermost_known_code_is_the_most_particular() -> None:
    assert isinstance(outcome(400, "BadRequest", inner="ErrorQuotaExceeded"), Paused)
    assert isinstance(outcome(429, "TooManyRequests", inner="429"), Delayed)


def test_what_the_other_side_asked_for_is_kept() -> None:
    busy = outcome(503, "ErrorServerBusy", retry_after="2.5")
    assert isinstance(busy, Delayed)
    assert busy.retry_after == timedelta(seconds=2.5)
    unclear = outcome(504, retry_after="9")
    assert isinstance(unclear, Uncertain)
    assert unclear.retry_after == timedelta(seconds=9)


@given(
    st.integers(100, 999),
    st.sampled_from(["", "Unseen", *CODES]),
    st.binary() | st.none(),
    st.text(),
)
def test_every_answer_has_a_meaning(status: int, code: str, body: bytes | None, wait: str) -> None:
    found = outcome(status, code, body=body, retry_after=wait)
    match found:
        case Failed():
            assert found.status.startswith("5.")
        case Delayed():
            assert found.status.startswith("4.")
        case Paused() | Relayed() | Uncertain():
            pass
    assert isinstance(found, Relayed) == (200 <= status < 300)


@given(st.integers(500, 599), st.text())
def test_no_failure_of_a_server_gives_mail_up(status: int, code: str) -> None:
    if code.casefold() in {known.casefold() for known in CODES}:
        return
    assert not isinstance(outcome(status, code), Failed)


# The page for people -------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_the_page_on_delivery_lists_every_code_with_its_outcome(code: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if line.startswith("|") and f"`{code}`" in line]
    found = outcome(400, code)
    match found:
        case Paused():
            told = f"Paused: {found.trouble}"
        case Failed() | Delayed():
            told = f"{type(found).__name__} {found.status}"
        case _:
            told = type(found).__name__
    assert f"| {told} |" in row


@pytest.mark.parametrize("status", [200, 201, 203, 204, 207])
def test_another_2xx_than_that_of_success_is_uncertain(status: int) -> None:
    found = outcome_of(HttpAnswer(status, {}, b""), "mine", NOW, success=202)
    assert isinstance(found, Uncertain)
    assert f"Graph answered {status}" in found.reason
    assert isinstance(outcome_of(HttpAnswer(202, {}, b""), "mine", NOW, success=202), Relayed)
    assert isinstance(outcome_of(HttpAnswer(status, {}, b""), "mine", NOW), Relayed)
