"""When an application's credential expires, and the warning before it does.

A certificate contains its end. A client secret does not, and asking Entra would need a permission
that a relay should not have, so the admin may configure the day that the portal showed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.oauth.entra.secret_files import CredentialProblem
from graphrelay.oauth.scenario import Account, Application, Certificate, ClientSecret, Credential

WARNED_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class EndsSoon:
    """A credential expires within 30 days, or has expired."""

    ends_at: datetime
    reason: str
    remedy: str


def credential_ends_at(account: Account) -> datetime | None:
    """The moment, if it is known. Reads the certificate."""
    match _credential(account):
        case Certificate() as certificate:
            from graphrelay.oauth.entra.key_pair import load_key_pair

            try:
                return load_key_pair(certificate).ends_at
            except CredentialProblem:
                return None  # The next token request reports what is wrong with it.
        case ClientSecret(ends_at=ends_at):
            return ends_at
    return None


def ends_soon(account: Account, ends_at: datetime | None, now: datetime) -> EndsSoon | None:
    """The warning, if one is due."""
    if ends_at is None or ends_at - now > WARNED_BEFORE:
        return None
    what = "certificate" if isinstance(_credential(account), Certificate) else "client secret"
    days = (ends_at - now).days
    when = (
        f"expires in {days} days" if days > 0 else "expires today" if days == 0 else "has expired"
    )
    return EndsSoon(
        ends_at,
        f"The {what} of account {account.name!r} {when} ({ends_at:%Y-%m-%d}).",
        f"Add a new one in Entra (App registrations > {account.client_id} > Certificates & "
        f"secrets), configure it, then run: graphrelay status {account.name}",
    )


def _credential(account: Account) -> Credential | None:
    scenario = account.scenario
    return scenario.credential if isinstance(scenario, Application) else None
