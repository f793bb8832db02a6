"""What Entra's refusals mean, and what a person can do about each: one table.

Entra answers with `error` and `suberror` (OAuth), and `error_codes`, the AADSTS numbers that
Microsoft documents at https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
HTTP status, `error` and the numbers decide whether to try again; Microsoft's descriptions are shown
to people and never interpreted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphrelay.model import one_line
from graphrelay.oauth.answers import TokenRefused
from graphrelay.oauth.scenario import Account


@dataclass(frozen=True, slots=True)
class RefusalClass:
    """A kind of refusal. `remedy` may name `{authorize}` (the command) and `{client}`."""

    kind: str
    codes: frozenset[int]
    remedy: str


def _class(kind: str, codes: tuple[int, ...], remedy: str) -> RefusalClass:
    return RefusalClass(kind, frozenset(codes), remedy)


AGAIN = "Sign in again. Run: {authorize}"

CLASSES: tuple[RefusalClass, ...] = (
    _class(
        "expired",
        (700082, 70008, 700084, 70043, 70044),
        "The authorization has expired. " + AGAIN,
    ),
    _class(
        "revoked",
        (50173, 50133, 50089),
        "The authorization was revoked, or the password was changed. " + AGAIN,
    ),
    _class(
        "mfa",
        (50076, 50079, 50074, 50078, 50072),
        "The sign-in needs a second factor. " + AGAIN,
    ),
    _class(
        "conditional-access",
        (53003, 53000, 53001, 53002, 53004, 530032, 530034, 530035, 50097, 50005),
        "A Conditional Access policy of the tenant blocks this sign-in. Ask the tenant's admin to "
        "let application {client} pass (Entra > Sign-in logs names the policy), then run: "
        "{authorize}",
    ),
    _class(
        "consent",
        (65001, 65004, 90094, 90095, 650056, 650057),
        "The permissions were not consented to. Grant them in Entra (App registrations > "
        "{client} > API permissions > Grant admin consent), then run: {authorize}",
    ),
    _class(
        "disabled-account",
        (50057, 50034, 51004, 50020),
        "The user account is disabled, deleted, or not one of this tenant. Enable it, or "
        "configure another username, then run: {authorize}",
    ),
    _class(
        "locked-account",
        (50053,),
        "The user account is locked after too many sign-ins. Unlock it or wait, then run: "
        "{authorize}",
    ),
    _class(
        "password-expired",
        (50055, 50144),
        "The user's password has expired. Change it, then run: {authorize}",
    ),
    _class(
        "secret-expired",
        (7000222,),
        "The client secret has expired. Create a new one (App registrations > {client} > "
        "Certificates & secrets), configure its value, then run: {authorize}",
    ),
    _class(
        "secret-wrong",
        (7000215,),
        "The client secret is wrong. Use the value of the secret, not the secret ID: Entra shows "
        "the value once, when the secret is created. Then run: {authorize}",
    ),
    _class(
        "credential",
        (70002,),
        "Entra does not accept the credential of application {client}. Check client_id and the "
        "secret or certificate, then run: {authorize}",
    ),
    _class(
        "credential-missing",
        (7000218,),
        "Entra requires a credential. For scenario user or personal: App registrations > "
        "{client} > Authentication > Allow public client flows. For the others: configure a "
        "client_secret, certificate_file, managed_identity or federated_token_file.",
    ),
    _class(
        "credential-unwanted",
        (700025,),
        "The app registration is a public client and accepts no credential. Remove the credential, "
        "or make it a confidential client.",
    ),
    _class(
        "certificate-unknown",
        (700027, 7000214, 700030),
        "This certificate is not registered for {client}. Upload its public part under "
        "Certificates & secrets > Certificates, then run: {authorize}",
    ),
    _class(
        "clock",
        (700024, 500133),
        "The time in the request does not match Entra's. Set this machine's clock (timedatectl), "
        "then run: {authorize}",
    ),
    _class(
        "federation",
        (70021, 700211, 700212, 700213, 700223, 7002381),
        "Entra does not trust this federated token. Compare issuer, subject and audience under "
        "Certificates & secrets > Federated credentials with the token's, then run: {authorize}",
    ),
    _class(
        "wrong-client",
        (700016, 90013, 900144),
        "The tenant has no application {client}. Compare client_id with the application "
        "(client) ID of the app registration, and tenant with its directory (tenant) ID.",
    ),
    _class(
        "wrong-tenant",
        (90002, 50194, 9001023, 90124, 90130, 9002332, 9002346, 90023),
        "The tenant is not the right one for this account. Set tenant to the directory (tenant) "
        "ID, or a verified domain, of the tenant that holds the app registration.",
    ),
    _class(
        "tenant-restricted",
        (500021,),
        "A proxy on the way to Entra restricts sign-ins to other tenants (tenant restrictions). "
        "Ask its admin to add this tenant to the header Restrict-Access-To-Tenants, then run: "
        "{authorize}",
    ),
    _class(
        "no-service-principal",
        (7000229,),
        "Application {client} has no service principal in this tenant. Create it with: "
        "az ad sp create --id {client}   then grant its permissions and run: {authorize}",
    ),
    _class(
        "disabled-application",
        (7000112, 70001, 50105, 7000113),
        "The application is disabled in this tenant, or the user is not assigned to it (Entra > "
        "Enterprise applications > {client} > Properties, Users and groups).",
    ),
    _class(
        "scope",
        (70011, 70000101),
        "A permission that was requested does not exist. Check the [cloud] section: the "
        "permissions must be those of this cloud's Graph.",
    ),
    _class(
        "redirect",
        (50011, 500113, 9002327, 9002326),
        "The app registration lacks the redirect address. Add http://localhost under "
        "Authentication > Mobile and desktop applications, then run: {authorize}",
    ),
    _class(
        "code-used",
        (54005, 501481),
        "The sign-in was answered twice or out of order. Run: {authorize}",
    ),
)

_REMEDIES = {known.kind: known.remedy for known in CLASSES}

BY_ERROR: Mapping[str, tuple[str, str]] = {
    # Results of the sign-in page or the device page (RFC 6749 4.1.2.1, RFC 8628 3.5).
    "access_denied": ("declined", "The sign-in was declined. To try again, run: {authorize}"),
    "authorization_declined": (
        "declined",
        "The sign-in was declined. To try again, run: {authorize}",
    ),
    "expired_token": ("code-expired", "The code was not used in time. Run: {authorize}"),
    "consent_required": ("consent", _REMEDIES["consent"]),
    "interaction_required": ("interaction", "Microsoft requires the user to sign in. " + AGAIN),
    "login_required": ("interaction", "Microsoft requires the user to sign in. " + AGAIN),
    "invalid_grant": ("grant", "The authorization is no longer valid. " + AGAIN),
    "invalid_client": ("credential", _REMEDIES["credential"]),
    "unauthorized_client": (
        "wrong-client",
        "Application {client} may not do this in this tenant. Compare client_id and tenant with "
        "the app registration.",
    ),
    "invalid_request": (
        "request",
        "Entra rejects the request as malformed. Compare tenant, client_id and credential with "
        "the app registration, then run: {authorize}",
    ),
    "invalid_scope": ("scope", _REMEDIES["scope"]),
    "invalid_resource": (
        "scope",
        "This tenant has no Graph at that address. Check graph_url in the [cloud] section.",
    ),
    "bad_verification_code": ("code-expired", "The code is not valid. Run: {authorize}"),
    "invalid_tenant": ("wrong-tenant", _REMEDIES["wrong-tenant"]),
}

BY_SUBERROR: Mapping[str, str] = {
    "consent_required": "consent",
    "user_password_expired": "password-expired",
    "token_expired": "expired",
    "bad_token": "revoked",
    "basic_action": "interaction",
    "additional_action": "conditional-access",
    "message_only": "conditional-access",
    "protection_policy_required": "conditional-access",
    "device_authentication_failed": "conditional-access",
}

_BEGINS = re.compile(r"AADSTS(9009[45]):")
"""Admin consent is required, or was asked for."""
_MOST_DIGITS = 20
"""Far more than Microsoft's numbers have, and far less than `int` refuses."""
PASSING_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
PASSING_CODES = frozenset(
    {
        *(90033, 90006, 90024, 50033, 90055, 90012, 50196, 50058001, 50087, 70012),
        *(
            80002,
            80005,
            80014,
        ),  # Pass-through authentication: its agents on premises do not answer.
    }
)
"""Entra fails or throttles: no action is needed."""


def is_passing(answer: Mapping[str, Any]) -> bool:
    """Whether a refusal is temporary."""
    codes = frozenset(error_codes(answer))
    return str(answer.get("error")) in PASSING_ERRORS or bool(codes & PASSING_CODES)


def error_codes(answer: Mapping[str, Any]) -> tuple[int, ...]:
    """The AADSTS numbers of an error body, which may be strings or missing."""
    codes = answer.get("error_codes")
    found = codes if isinstance(codes, list) else []
    texts = (str(code) for code in found)
    return tuple(int(text) for text in texts if text.isdecimal() and len(text) <= _MOST_DIGITS)


def refused(answer: Mapping[str, Any], account: Account) -> TokenRefused:
    """An OAuth error body (RFC 6749 section 5.2), with a remedy."""
    error = str(answer.get("error", ""))
    suberror = str(answer.get("suberror") or "")
    codes = error_codes(answer)
    kind, remedy = _classify(error, suberror, frozenset(codes))
    return TokenRefused(
        error=error,
        kind=kind,
        remedy=words(remedy, account),
        description=_first_lines(str(answer.get("error_description") or "")),
        suberror=suberror,
        error_codes=codes,
    )


def refused_in_browser(answer: Mapping[str, Any], account: Account) -> TokenRefused:
    """The same for an error that came by redirect (RFC 6749 section 4.1.2.1). It has no list of
    numbers, and Entra says `access_denied` both when a person declines and when an admin must
    consent; the number at the beginning of the description is the only difference."""
    number = _BEGINS.match(str(answer.get("error_description") or ""))
    admin = [number[1]] if number and answer.get("error") == "access_denied" else []
    return refused({**answer, "error_codes": admin}, account)


def words(remedy: str, account: Account) -> str:
    """Fill a remedy in for an account."""
    client = account.client_id or "the application"
    return remedy.format(authorize=f"graphrelay authorize {account.name}", client=client)


def _classify(error: str, suberror: str, codes: frozenset[int]) -> tuple[str, str]:
    for known in CLASSES:
        if codes & known.codes:
            return known.kind, known.remedy
    if kind := BY_SUBERROR.get(suberror):
        return kind, _REMEDIES.get(kind, AGAIN)
    if error in BY_ERROR:
        return BY_ERROR[error]
    return (
        "other",
        "See Microsoft's description of the error. After fixing the cause, run: {authorize}",
    )


def _first_lines(description: str) -> str:
    """Without the trace and correlation ids at its end."""
    for mark in ("\r\nTrace ID", "\nTrace ID", " Trace ID"):
        description = description.split(mark, 1)[0]
    return one_line(description, 600)
