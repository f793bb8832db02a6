"""Which addresses an alert may be posted to: over TLS, or to this machine."""

import ipaddress
from urllib.parse import urlsplit


def mistake(url: str) -> str:
    """What is wrong with the address of a webhook, as a clause; empty if nothing is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return "is not a URL"
    if not host or not url.isprintable() or " " in url:
        return "must have the form https://host/path"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return ""
    return "must begin with https:// (http:// is accepted for this machine alone)"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
