"""When an application's credential ends, and the warning before it does.

A certificate says it itself. A client secret does not, and asking Entra would need a permission
that a relay should not have: so the admin may note the day that the portal showed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.oauth.entra.credentials import CredentialProblem, load_key_pair
from graphrelay.oauth.scenario import Account, Application, Certificate, ClientSecret, Credential

WARNED_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class EndsSoon:
    """A credential ends within 30 days, or has ended."""

    ends_at: datetime
    reason: str
    remedy: str


def credential_ends_at(account: Account) -> datetime | None:
    """The moment, if anybody knows it. Reads the certificate."""
    match _credential(account):
        case Certificate() as certificate:
            try:
                return load_key_pair(certificate).ends_at
            except CredentialProblem:
                return None  # Asking for a token says what is wrong with it.
        case ClientSecret(ends_at=ends_at):
            return ends_at
    return None


def ends_soon(account: Account, ends_at: datetime | None, now: datetime) -> EndsSoon | None:
    """The warning, if it is time for one."""
    if ends_at is None or ends_at - now > WARNED_BEFORE:
        return None
    what = "certificate" if isinstance(_credential(account), Certificate) else "client secret"
    days = (ends_at - now).days
    when = f"ends in {days} days" if days > 0 else "ends today" if days == 0 else "has ended"
    return EndsSoon(
        ends_at,
        f"The {what} of account {account.name!r} {when} ({ends_at:%Y-%m-%d}).",
        f"Add a new one in Entra (App registrations > {account.client_id} > Certificates & "
        f"secrets), put it into the configuration, then run: graphrelay status {account.name}",
    )


def _credential(account: Account) -> Credential | None:
    scenario = account.scenario
    return scenario.credential if isinstance(scenario, Application) else None
