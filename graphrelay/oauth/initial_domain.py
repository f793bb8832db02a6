"""Senders at a tenant's initial domain (contoso.onmicrosoft.com), which Exchange limits.

All such senders of an organization together reach 100 external recipients in 24 hours; what is
beyond comes back as `550 5.7.236`. Since 2026 this holds for every tenant.
"""

from graphrelay.assumptions import SAID
from graphrelay.model import Address, in_small_letters
from graphrelay.oauth.scenario import Account

DOMAINS = ("onmicrosoft.com", "onmicrosoft.us", "onmschina.cn")
NDR_STATUS = "5.7.236"
REMEDY = (
    "use an address of a domain of your own (Microsoft 365 admin center > Settings > Domains); "
    + SAID["initial-domain"].assumed
)


def is_initial(address: str) -> bool:
    """Whether an address, or a pattern of addresses, is at a tenant's initial domain."""
    domain = in_small_letters(Address.parse(address).domain)
    return any(domain.endswith(f".{initial}") for initial in DOMAINS)


def warning(account: Account) -> str | None:
    """For an account that may send as such an address; `None` where it may not."""
    named = dict.fromkeys((account.own_address or "", *account.mailboxes))
    found = [box for box in named if box and is_initial(box) and account.may_use(box)]
    return f"{', '.join(found)}: {REMEDY}" if found else None
