"""Which redirect URIs an application may name (entra-docs, "Redirect URI (reply URL)").

`http://localhost` matches any port, its path must match; `http://127.0.0.1` likewise, where the
manifest lists it; `[::1]` never. Everything else must be the same, letter by letter. A URI without
a path comes back with `/`.
"""

from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from graphrelay.sandbox.directory import App

Platform = Literal["public", "web"]
LOOPBACK = ("localhost", "127.0.0.1")


def platform_of(app: App, uri: str) -> Platform | None:
    """Under which platform `uri` is registered, or `None` if it is not."""
    if any(_matches(registered, uri) for registered in app.public_redirect_uris):
        return "public"
    if any(_matches(registered, uri) for registered in app.web_redirect_uris):
        return "web"
    return None


def landing(uri: str) -> str:
    """Where the browser is really sent."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(path=parts.path or "/"))


def _matches(registered: str, uri: str) -> bool:
    try:
        one, other = urlsplit(registered), urlsplit(uri)
        other_port = other.port
    except ValueError:
        return False
    if other.fragment or one.hostname != other.hostname or one.scheme != other.scheme:
        return False
    if one.hostname in LOOPBACK and one.scheme == "http":
        return (one.path or "/") == (other.path or "/") and one.query == other.query
    if one.hostname == "::1":
        return False
    return one.port == other_port and (one.path or "/", one.query) == (
        other.path or "/",
        other.query,
    )
