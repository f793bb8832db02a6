"""How sizes, durations, days and networks are written in the configuration."""

import re
from datetime import date, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, ByteSize, SecretStr, TypeAdapter, ValidationError

from graphrelay.smtp.access.login import is_password_hash

_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
LONGEST = timedelta(days=36_500)
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d|w)\s*")

_SIZE = re.compile(r"\s*[0-9]{1,15}(?:\.[0-9]{1,9})?\s*(?:[kmgtp]i?b|b|[kmgtp])?\s*", re.IGNORECASE)
_BYTE_SIZE = TypeAdapter(ByteSize)

Network = IPv4Network | IPv6Network


def duration(value: object) -> timedelta:
    """`"90d"`, `"4 h"`, `"1.5min"`, `"30s"`, `"0"`. Raises `ValueError` saying what is allowed."""
    if isinstance(value, timedelta):
        return value
    if value == "0":
        return timedelta(0)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError('must be a duration such as "30s", "10min", "4h" or "5d"')
    amount, unit = float(match[1]), _UNITS[match[2]]
    if amount > LONGEST / unit:  # Dates computed with it must exist.
        raise ValueError(f'must be at most "{LONGEST.days}d"')
    return amount * unit


def some_time(value: object) -> timedelta:
    """A duration of a second or more."""
    if (found := duration(value)) < timedelta(seconds=1):
        raise ValueError('must be "1s" or more')
    return found


def host_name(value: object) -> str:
    """`"relay.contoso.com"`, or a name without dots."""
    if isinstance(value, str) and len(value) <= 253 and _HOST_NAME.fullmatch(value):
        return value
    raise ValueError('must be a name such as "relay.contoso.com"')


def http_proxy(value: object) -> str:
    """`"http://proxy.contoso.com:8080"`, perhaps with `user:password@`."""
    try:
        parts = urlsplit(value) if isinstance(value, str) and _NO_SPACE.fullmatch(value) else None
        fits = parts and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        fits = False
    if not fits:
        raise ValueError('must be an address such as "http://proxy.contoso.com:8080"')
    return str(value)


def size(value: object) -> int:
    """`"35 MB"` (a million octets), `"64 MiB"`, or a number of octets."""
    try:
        # pydantic looks at the beginning only
        fits = not isinstance(value, str) or _SIZE.fullmatch(value)
        octets = int(_BYTE_SIZE.validate_python(value)) if fits else 0
    except ValidationError:
        octets = 0
    if octets <= 0 or isinstance(value, bool):
        raise ValueError('must be a size such as "35 MB" or "64 MiB"')
    return octets


def day(value: object) -> date:
    """`"2027-11-01"`, or the same without quotation marks, which is a date in TOML."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError('must be a day such as "2027-11-01"') from error


def network(value: object) -> Network:
    """`"192.168.7.0/24"`, `"::1/128"`, or a single address."""
    try:
        return ip_network(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(
            f'must be a network such as "192.168.7.0/24" or "::1/128" ({error})'
        ) from error


def is_mailbox(value: object) -> bool:
    return isinstance(value, str) and bool(_MAILBOX.fullmatch(value))


def is_own_mailbox(value: object) -> bool:
    """Whether Exchange may have a mailbox of that address."""
    return isinstance(value, str) and is_mailbox(value) and not _NOT_OF_EXCHANGE.search(value)


def mailbox(value: object) -> str:
    """`"wp@contoso.com"`."""
    if isinstance(value, str) and is_mailbox(value):
        return value
    raise ValueError('must be a mail address such as "wp@contoso.com"')


def own_mailbox(value: object) -> str:
    """The address of a mailbox in Microsoft 365, which allows fewer characters than addresses in
    general."""
    if isinstance(value, str) and is_own_mailbox(value):
        return value
    raise ValueError('must be the address of a mailbox such as "wp@contoso.com"')


def account_name(value: object) -> str:
    """The name of an account, which is used in file names, log lines and commands."""
    if (
        isinstance(value, str)
        and value.isprintable()
        and value == value.strip() != ""
        and len(quote(value, safe="")) <= LONGEST_NAME
    ):
        return value
    raise ValueError("the name of an account must be up to 60 printable characters")


def login_name(value: object) -> str:
    """The name of a login."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 255:
        return value
    raise ValueError("must be up to 255 printable characters, and not empty")


def tenant(value: object) -> str:
    """A domain, a GUID, or a word such as `organizations`: one segment of Entra's addresses."""
    try:
        return host_name(value)
    except ValueError as error:
        raise ValueError(
            'must be a domain such as "contoso.onmicrosoft.com", or the id of the tenant'
        ) from error


def mailbox_pattern(value: object) -> str:
    """`"wp@contoso.com"`, or `"*@contoso.com"` for a whole domain."""
    if isinstance(value, str) and _MAILBOX.fullmatch(value) and "*" not in value.lstrip("*"):
        return value
    if isinstance(value, str) and GUID.fullmatch(value):
        raise ValueError("must be the mailbox's address; its object id goes into user_ids")
    raise ValueError('must be a mail address, or "*@contoso.com" for all of a domain')


def object_id(value: object) -> str:
    """The object id of a user, in lower case as Entra writes it."""
    if isinstance(value, str) and GUID.fullmatch(value):
        return value.lower()
    raise ValueError(
        "must be the Object ID of the user in Entra, such as 00000000-0000-4000-8000-000000000000"
    )


def password_hash(value: object) -> object:
    """What `graphrelay hash-password` prints."""
    if not isinstance(value, str) or not is_password_hash(value):
        raise ValueError("must be a hash made with: graphrelay hash-password")
    return value


def user_id(value: object) -> str:
    """The id by which Graph finds a mailbox: a user principal name or an object id."""
    if isinstance(value, str) and (GUID.fullmatch(value) or is_own_mailbox(value)):
        return value
    raise ValueError("must be a user principal name, or the object id of a user")


def duration_or_never(value: object) -> timedelta | None:
    """A duration, or `"never"`."""
    if value in ("never", None):
        return None
    try:
        return duration(value)
    except ValueError as error:
        raise ValueError('must be "never" or a duration such as "4h"') from error


def count_or_unlimited(value: object) -> int | None:
    """A number from 1, or `"unlimited"`."""
    if value in ("unlimited", None):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError('must be "unlimited" or a number from 1')


def size_or_unlimited(value: object) -> int | None:
    """A size, or `"unlimited"`."""
    if value in ("unlimited", None):
        return None
    try:
        return size(value)
    except ValueError as error:
        raise ValueError('must be "unlimited" or a size such as "150 MB"') from error


def size_or_auto(value: object) -> int | None:
    """A size, or `"auto"`."""
    if value in ("auto", None):
        return None
    try:
        return size(value)
    except ValueError as error:
        raise ValueError('must be "auto" or a size such as "4 MB"') from error


def report_to(value: object) -> str:
    """`"sender"`, `"nobody"`, or a mail address."""
    if value in ("sender", "nobody"):
        return str(value)
    try:
        return mailbox(value)
    except ValueError as error:
        raise ValueError('must be "sender", "nobody" or a mail address') from error


def header_pattern(value: object) -> tuple[str, str]:
    """`"Subject: *invoice*"`: a field's name, and the pattern of its value."""
    found = _HEADER_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a field and a pattern, such as "Subject: *invoice*"')
    return found[1], found[2].strip()


def one_line(value: object) -> str:
    """Up to 100 printable characters."""
    if isinstance(value, str) and value.isprintable() and len(value) <= 100:
        return value.strip()
    raise ValueError("must be up to 100 printable characters")


GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MAILBOX = re.compile(r"""[^@\s<>()",;:\\]+@[^@\s<>()",;:\\]+""")
_NOT_OF_EXCHANGE = re.compile(r"[/?%*|{}=`&]")
LONGEST_NAME = 180
"""The limit in octets for an account's name in the name of its file in the vault."""
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_NO_SPACE = re.compile(r"[!-~]+")
_HEADER_PATTERN = re.compile(r"([!-9;-~]+):(.*\S.*)")

Duration = Annotated[timedelta, BeforeValidator(duration)]
SomeTime = Annotated[timedelta, BeforeValidator(some_time)]
HostName = Annotated[str, BeforeValidator(host_name)]
HttpProxy = Annotated[str, BeforeValidator(http_proxy)]
Day = Annotated[date, BeforeValidator(day)]
Size = Annotated[int, BeforeValidator(size)]
NetworkText = Annotated[Network, BeforeValidator(network)]
Mailbox = Annotated[str, BeforeValidator(mailbox)]
OwnMailbox = Annotated[str, BeforeValidator(own_mailbox)]
AccountName = Annotated[str, BeforeValidator(account_name)]
LoginName = Annotated[str, BeforeValidator(login_name)]
Tenant = Annotated[str, BeforeValidator(tenant)]
MailboxPattern = Annotated[str, BeforeValidator(mailbox_pattern)]
ObjectId = Annotated[str, BeforeValidator(object_id)]
PasswordHash = Annotated[SecretStr, BeforeValidator(password_hash)]
UserId = Annotated[str, BeforeValidator(user_id)]
DurationOrNever = Annotated[timedelta | None, BeforeValidator(duration_or_never)]
CountOrUnlimited = Annotated[int | None, BeforeValidator(count_or_unlimited)]
SizeOrAuto = Annotated[int | None, BeforeValidator(size_or_auto)]
SizeOrUnlimited = Annotated[int | None, BeforeValidator(size_or_unlimited)]
ReportTo = Annotated[str, BeforeValidator(report_to)]
HeaderPattern = Annotated[tuple[str, str], BeforeValidator(header_pattern)]
OneLine = Annotated[str, BeforeValidator(one_line)]
