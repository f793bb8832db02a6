"""How long a server asks to be left alone: the header field Retry-After, wherever it comes from.

It is a number of seconds, whole (RFC 9110 section 10.2.3) or, from Microsoft, with a fraction, or a
date. Whatever the value is, reading it does not fail.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""However long a server asks for, it is asked again after an hour."""


def retry_after(
    headers: Mapping[str, str], now: datetime | None, longest: timedelta = LONGEST_RETRY_AFTER
) -> timedelta | None:
    """From 0 to `longest`; `None` where the field is missing or cannot be read. The names in
    `headers` are in lower case.

    A date is measured against the answer's own `Date`, so that our clock need not be right, and
    against `now` where there is none.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        date, base = http_date(value), http_date(headers.get("date", "")) or now
        if date is None or base is None:
            return None
        seconds = (date - base).total_seconds()
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), longest.total_seconds()))


def http_date(value: str) -> datetime | None:
    """A date in any of the forms of RFC 9110 section 5.6.7, in UTC; `None` for anything else."""
    try:
        date = parsedate_to_datetime(value)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
