"""Which redirect URIs an application may name (entra-docs, "Redirect URI (reply URL)").

`http://localhost` matches any port, its path must match; `http://127.0.0.1` likewise, where the
manifest lists it; `[::1]` never. Everything else must be identical. A URI without a path comes back
with `/`. Whether no path matches `/` is not documented: `exact` decides.
"""

from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from graphrelay.sandbox.directory import App

Platform = Literal["public", "web"]
LOOPBACK = ("localhost", "127.0.0.1")


def platform_of(app: App, uri: str, *, exact: bool = False) -> Platform | None:
    """Under which platform `uri` is registered, or `None` if it is not."""
    if any(_matches(registered, uri, exact) for registered in app.public_redirect_uris):
        return "public"
    if any(_matches(registered, uri, exact) for registered in app.web_redirect_uris):
        return "web"
    return None


def landing(uri: str) -> str:
    """Where the browser is actually sent."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(path=parts.path or "/"))


def _matches(registered: str, uri: str, exact: bool) -> bool:
    try:
        one, other = urlsplit(registered), urlsplit(uri)
        other_port = other.port
    except ValueError:
        return False
    if other.fragment or one.hostname != other.hostname or one.scheme != other.scheme:
        return False
    root = "" if exact else "/"
    same = (one.path or root, one.query) == (other.path or root, other.query)
    if one.hostname in LOOPBACK and one.scheme == "http":
        return same
    if one.hostname == "::1":
        return False
    return one.port == other_port and same
