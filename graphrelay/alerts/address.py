"""Which addresses an alert may be posted to: over TLS, or to this machine itself."""

import ipaddress
from urllib.parse import urlsplit


def mistake(url: str) -> str:
    """What is wrong with an address as that of a webhook; empty if nothing."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is no number
    except ValueError:
        return "is not an address"
    if not host or not url.isprintable() or " " in url:
        return "must be written https://host/path"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return ""
    return "must begin with https:// (http:// only for this machine itself)"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
