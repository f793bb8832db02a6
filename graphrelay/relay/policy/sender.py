"""Who may send as whom. Pure.

What is always true here: this is decided in this file and nowhere else, for MAIL FROM, for every
address in every From and Sender field, and for a message that names nobody. A login that is limited
to one address gets no other one out, whatever it writes where.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphrelay.model import Address, Reply, one_line


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """The logins that there are, and what each may send as. Without a login nothing is limited:
    such a client was let in by its network."""

    logins: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each login the patterns of addresses that it may send as; none given: any."""

    def refusal(self, login: str | None, claimed: Mapping[str, Iterable[Address]]) -> Reply | None:
        """The refusal where one of the addresses, by the place that it was written in, is not for
        this login; or where the login does not exist. A client that logged in before a reload took
        its login away sends no more, least of all without the limits that it had."""
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
        """The refusal of a message that names no sender anywhere: it would go out in the name of
        the route's mailbox, which a limited login may not use."""
        allowed = self.logins.get(login, ()) if login is not None else ()
        if not allowed:
            return None
        text = f"Login {login!r} must say in whose name it sends: {', '.join(allowed)}"
        return Reply(550, "5.7.1", text)


def shown(address: Address | None) -> str:
    """An address that a client wrote, fit for a reply."""
    return f"<{one_line(address or '', 100)}>"
