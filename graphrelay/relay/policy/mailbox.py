"""Whether an address from a client may be used as a mailbox of an account. Pure.

A mailbox becomes part of a URL, so only addresses of the simplest form are accepted as one.
"""

import re
from typing import Protocol

from graphrelay.model import Address

_ATOM = r"[A-Za-z0-9!$&'*+=^_`{|}~-]+"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9.-]+")


class SendingAccount(Protocol):
    """The properties of an account that are needed to choose one of its mailboxes."""

    @property
    def name(self) -> str: ...

    @property
    def username(self) -> str | None:
        """The signed-in user; `None` for an application."""
        ...

    @property
    def default_mailbox(self) -> str | None: ...

    def may_use(self, address: str) -> bool: ...

    def mailbox_of(self, address: str) -> str:
        """The name of the mailbox with an address."""
        ...

    def may_stand_in_from(self, address: str) -> bool: ...


def usable(account: SendingAccount, address: Address) -> bool:
    """Whether `address` may be used as a mailbox of `account`."""
    text = str(address)
    return bool(_PLAIN.fullmatch(text)) and account.may_use(text)
