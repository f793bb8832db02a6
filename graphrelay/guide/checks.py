"""What makes an answer usable: each check returns the value, or raises `ValueError`."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

from graphrelay.config.units import GUID, day, mailbox_pattern, network, tenant
from graphrelay.guide.setup import NO_ID
from graphrelay.smtp.access.listener import Listener, ListenError, endpoint, strangers_can_reach


def no_secret_id(text: str) -> str:
    if GUID.fullmatch(text.strip()):
        raise ValueError("this is the secret's ID, but its value is needed")
    return text.strip()


def day_or_nothing(text: str) -> date | None:
    """Raises `ValueError`."""
    return day(text.strip()) if text.strip() else None


def a_tenant(text: str) -> str:
    """A domain or an id; a placeholder may be replaced later."""
    found = tenant(text)
    if "." not in found and not GUID.fullmatch(found):
        raise ValueError("must be a domain such as contoso.com, or a Directory (tenant) ID")
    return found


def listener_address(text: str) -> str:
    try:
        endpoint(text)
    except ListenError as problem:
        raise ValueError(str(problem)) from problem
    return text


def networks_for(listener: str) -> Callable[[str], tuple[str, ...]]:
    """A check of the networks that may connect to `listener`."""

    def check(text: str) -> tuple[str, ...]:
        found = tuple(network(one.strip()) for one in text.split(",") if one.strip())
        if not found:
            raise ValueError("must be at least one network, such as 192.168.7.0/24")
        if text_of_risk := strangers_can_reach(Listener(address=listener, allow_from=found)):
            raise ValueError(text_of_risk)
        return tuple(map(str, found))

    return check


def account_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", text):
        raise ValueError("must be letters, digits, - and _")
    return text


def an_id(text: str) -> str:
    if not GUID.fullmatch(text):
        raise ValueError(f"must be an id such as {NO_ID}")
    return text.lower()


def absolute(text: str) -> Path:
    """Raises `ValueError`."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{text.partition('/')[0]} is the home of nobody here") from error


def mailboxes(text: str) -> tuple[str, ...]:
    return tuple(mailbox_pattern(one.strip()) for one in text.split(",") if one.strip())


def some_mailboxes(text: str) -> tuple[str, ...]:
    if not (found := mailboxes(text)):
        raise ValueError("must be at least one mail address, or *@ and a domain")
    return found
