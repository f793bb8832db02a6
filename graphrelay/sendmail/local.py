"""The local machine: the calling user, the mail domain, and who gets the mail of local users.

The relay has no mailboxes of its own, and cron writes to `root`. So a recipient without a domain is
looked up in aliases(5); one that is not found there gets the machine's mail domain, if it has a
real one (mailname(5)). Only addresses are used from the aliases: no programs, no files.
"""

import os
import pwd

from graphrelay.sendmail.stop import Stop

ALIASES = "/etc/aliases"
MAIL_NAME = "/etc/mailname"
_DEEPEST = 10
_DOTLESS_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")


def user_name() -> str:
    """The name of the caller, by user id: the environment cannot be trusted."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid{os.getuid()}"


def mail_domain(path: str = MAIL_NAME) -> str:
    """The domain of local users: mailname(5), else the machine's name."""
    try:
        with open(path, encoding="utf-8") as opened:  # noqa: PTH123 (start-up)
            name = opened.readline().strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    name = name or os.uname().nodename
    return name if name and not set(name.lower()) - _DOTLESS_NAME else "localhost"


def sender_address(given: str | None, path: str = MAIL_NAME) -> str:
    """The envelope sender: that of `-f`, else the caller; empty is the null sender."""
    address = user_name() if given is None else given.strip()
    if address.endswith(">"):  # `<a@b>`, or `Name <a@b>`
        address = address[:-1].rpartition("<")[2].strip()
    if not address or "@" in address:
        return address
    return f"{address}@{mail_domain(path)}"


def resolved(
    recipients: list[str], aliases: str = ALIASES, mail_name: str = MAIL_NAME
) -> list[str]:
    """The recipients with local names replaced, each once. Raises `Stop` with EX_NOUSER."""
    found: dict[str, None] = {}
    table: dict[str, list[str]] | None = None
    for recipient in recipients:
        if "@" in recipient:
            found[recipient] = None
            continue
        table = _read(aliases) if table is None else table
        found |= dict.fromkeys(_expanded(recipient, table, mail_name, _DEEPEST))
    return list(found)


def _expanded(name: str, table: dict[str, list[str]], mail_name: str, deeper: int) -> list[str]:
    members = table.get(name.lower()) if deeper and not name.startswith("\\") else None
    if members is None:
        return [_in_mail_domain(name.removeprefix("\\"), mail_name)]
    found: list[str] = []
    for member in members:
        if member[:1] in "|/:" or member[:2] in ('"|', '"/'):
            continue
        found += [member] if "@" in member else _expanded(member, table, mail_name, deeper - 1)
    return found or [_in_mail_domain(name, mail_name)]


def _in_mail_domain(name: str, mail_name: str) -> str:
    domain = mail_domain(mail_name)
    if "." not in domain.strip("."):
        raise Stop(
            os.EX_NOUSER,
            f"{name!r} is a local user, and the relay has no local mailboxes; say in {ALIASES} "
            f"who gets that mail (a line such as {name}: you@contoso.com)",
        )
    return f"{name}@{domain}"


def _read(path: str) -> dict[str, list[str]]:
    """aliases(5): `name: address, address`, continued on lines that begin with white space."""
    table: dict[str, list[str]] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123 (start-up)
            text = opened.read()
    except OSError:
        return table
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            name, _, line = line.partition(":")
            name = name.strip().strip('"').lower()
            table[name] = []
        if name:
            table[name] += [member.strip() for member in line.split(",") if member.strip()]
    return table
