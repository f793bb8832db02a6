"""Every class of refusal has a kind and a remedy that a person can act on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.entra.refusals import (
    BY_ERROR,
    BY_SUBERROR,
    CLASSES,
    PASSING_CODES,
    error_codes,
    is_passing,
    refused,
)
from graphrelay.sandbox.entra.aadsts import KNOWN
from tests.oauth.conftest import DAEMON, WEBSITE


def answer(code: int, error: str = "invalid_grant", suberror: str = "") -> dict[str, object]:
    return {"error": error, "suberror": suberror, "error_codes": [code]}


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (700082, "expired", "graphrelay authorize website"),
        (70008, "expired", "graphrelay authorize website"),
        (70043, "expired", "graphrelay authorize website"),
        (70044, "expired", "graphrelay authorize website"),
        (50173, "revoked", "graphrelay authorize website"),
        (50076, "mfa", "second factor"),
        (50079, "mfa", "second factor"),
        (53003, "conditional-access", "Conditional Access"),
        (53000, "conditional-access", "Conditional Access"),
        (530035, "conditional-access", "Conditional Access"),
        (65001, "consent", "Grant admin consent"),
        (90094, "consent", "Grant admin consent"),
        (65004, "consent", "Grant admin consent"),
        (50057, "disabled-account", "disabled"),
        (50034, "disabled-account", "username"),
        (50053, "locked-account", "locked"),
        (50055, "password-expired", "password"),
        (7000222, "secret-expired", "expired"),
        (7000215, "secret-wrong", "not the secret ID"),
        (70002, "credential", "Check client_id and the secret"),
        (7000218, "credential-missing", "Allow public client flows"),
        (700025, "credential-unwanted", "public client"),
        (700027, "certificate-unknown", "Upload its public part"),
        (700024, "clock", "timedatectl"),
        (700016, "wrong-client", "application (client) ID"),
        (90002, "wrong-tenant", "directory (tenant) ID"),
        (50194, "wrong-tenant", "directory (tenant) ID"),
        (500021, "tenant-restricted", "Restrict-Access-To-Tenants"),
        (7000229, "no-service-principal", f"az ad sp create --id {WEBSITE.client_id} "),
        (7000112, "disabled-application", "Enterprise applications"),
        (70011, "scope", "[cloud]"),
        (50011, "redirect", "http://localhost"),
        (54005, "code-used", "graphrelay authorize website"),
    ],
)
def test_each_class_has_its_kind_and_its_remedy(code: int, kind: str, says: str) -> None:
    refusal = refused(answer(code), WEBSITE)
    assert refusal.kind == kind
    assert says in refusal.remedy
    assert refusal.error_codes == (code,)


def test_a_remedy_names_the_application() -> None:
    assert WEBSITE.client_id in refused(answer(700016), WEBSITE).remedy
    unnamed = replace(DAEMON, client_id="")
    assert "the application" in refused(answer(700016), unnamed).remedy


def test_no_remedy_has_a_hole_in_it() -> None:
    for row in CLASSES:
        text = refused(answer(min(row.codes)), WEBSITE).remedy
        assert text
        assert "{" not in text
    for error in BY_ERROR:
        assert "{" not in refused({"error": error}, WEBSITE).remedy


def test_no_number_is_in_two_classes() -> None:
    numbers = [code for row in CLASSES for code in row.codes]
    assert len(numbers) == len(set(numbers))
    assert not PASSING_CODES & set(numbers)


def test_without_numbers_suberror_and_error_decide() -> None:
    assert refused({"error": "invalid_grant", "suberror": "consent_required"}, WEBSITE).kind == (
        "consent"
    )
    assert refused({"error": "invalid_grant", "suberror": "message_only"}, WEBSITE).kind == (
        "conditional-access"
    )
    assert refused({"error": "invalid_client"}, WEBSITE).kind == "credential"
    assert refused({"error": "access_denied"}, WEBSITE).kind == "declined"
    assert refused({"error": "strange"}, WEBSITE).kind == "other"
    assert set(BY_SUBERROR.values()) <= {row.kind for row in CLASSES} | {"interaction"}


def test_microsofts_sentence_never_decides() -> None:
    lying = {"error": "invalid_client", "error_description": "AADSTS50173: revoked"}
    assert refused(lying, WEBSITE).kind == "credential"


@pytest.mark.parametrize("code", sorted(PASSING_CODES | {70012, 50087, 80002, 80005, 80014}))
def test_entras_own_failures_are_temporary(code: int) -> None:
    assert is_passing(answer(code))
    assert is_passing({"error": "temporarily_unavailable"})
    assert not is_passing(answer(50173))


def test_the_sentence_is_passed_on_without_its_trace() -> None:
    text = "AADSTS50057: The user account is disabled.\r\nTrace ID: 1\r\nCorrelation ID: 2"
    refusal = refused({**answer(50057), "error_description": text}, WEBSITE)
    assert refusal.description == "AADSTS50057: The user account is disabled."
    spaced = refused(
        {**answer(50057), "error_description": "Disabled. Trace ID: 1 Correlation"}, WEBSITE
    )
    assert spaced.description == "Disabled."


@given(st.one_of(st.none(), st.integers(), st.lists(st.one_of(st.integers(), st.text()))))
def test_numbers_in_any_form_are_tolerated(codes: object) -> None:
    assert all(isinstance(code, int) for code in error_codes({"error_codes": codes}))


def test_each_refusal_of_the_sandbox_has_a_class_of_its_own() -> None:
    """Every number with which the sandbox can refuse has a more specific kind than `other`."""
    ours_alone = {"authorization_pending", "slow_down"}
    for code, known in KNOWN.items():
        if known.error in ours_alone or known.error.startswith("unsupported_"):
            continue
        body = answer(code, known.error, known.suberror)
        assert is_passing(body) or refused(body, WEBSITE).kind != "other", (code, known.error)


@pytest.mark.parametrize("error", [{}, ["x"], 1, None])
def test_an_error_that_is_no_text_is_a_refusal_all_the_same(error: object) -> None:
    assert not is_passing({"error": error})
    assert refused({"error": error}, WEBSITE).kind == "other"


def test_a_number_with_too_many_digits_is_not_a_code() -> None:
    assert error_codes({"error_codes": ["9" * 5_000, "50173"]}) == (50173,)
