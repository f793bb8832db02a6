"""Who may send as whom. Pure.

This is decided in this file only: for MAIL FROM, for every address in every From and Sender field,
and for a message that names no sender. A login that is limited to one address cannot send from any
other, whatever the client writes in any field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphrelay.model import Address, Reply, one_line


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """The logins, and the addresses that each may send as. A client without a login is not limited:
    it was admitted by its network."""

    logins: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each login the patterns of addresses that it may send as; an empty tuple allows any."""

    def refusal(self, login: str | None, claimed: Mapping[str, Iterable[Address]]) -> Reply | None:
        """The refusal if the login may not use one of the addresses, given by the place in which it
        was found, or if the login does not exist. A client whose login was removed by a reload
        after it had logged in can no longer send."""
        if login is None:
            return None
        if login not in self.logins:
            return Reply(550, "5.7.1", f"There is no login {login!r} any more")
        allowed = self.logins[login]
        for where, addresses in claimed.items() if allowed else ():
            for address in addresses:
                if not address.matches(allowed):
                    text = f"Login {login!r} may not send as {shown(address)} ({where})"
                    return Reply(550, "5.7.1", f"{text}; it may send as {', '.join(allowed)}")
        return None

    def refusal_of_nobody(self, login: str | None) -> Reply | None:
        """The refusal of a message that names no sender: it would be sent from the route's mailbox,
        which a limited login may not use."""
        allowed = self.logins.get(login, ()) if login is not None else ()
        if not allowed:
            return None
        text = f"Login {login!r} must say in whose name it sends: {', '.join(allowed)}"
        return Reply(550, "5.7.1", text)


def shown(address: Address | None) -> str:
    """An address from a client, made fit for a reply."""
    return f"<{one_line(address or '', 100)}>"
