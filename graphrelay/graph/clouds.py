"""The clouds in which Microsoft runs Entra ID and Graph, separate from each other.

An account, its tokens and its mailboxes are in one cloud; the relay never falls back to another
one. The hosts are from Microsoft's table:
https://learn.microsoft.com/en-us/graph/deployments and
https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud
"""

from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where tokens come from and where mail goes; both are https URLs without a path."""

    name: str
    login_url: str
    graph_url: str


CLOUDS = MappingProxyType(
    {
        cloud.name: cloud
        for cloud in (
            Cloud(
                "global",
                "https://login.microsoftonline.com",
                "https://graph.microsoft.com",
            ),
            Cloud(
                "us-gov-high",
                "https://login.microsoftonline.us",
                "https://graph.microsoft.us",
            ),
            Cloud(
                "us-gov-dod",
                "https://login.microsoftonline.us",
                "https://dod-graph.microsoft.us",
            ),
            Cloud(
                "china",
                "https://login.partner.microsoftonline.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ),
        )
    }
)


def custom_cloud(login_url: str, graph_url: str) -> Cloud:
    """A cloud that Microsoft does not list, or a sandbox.

    Raises `ValueError` for an address that is not `https://host[:port]`: tokens go there.
    """
    return Cloud("custom", _base(login_url), _base(graph_url))


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{url!r} must begin with https:// and name a host: tokens are sent there")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{url!r} must be https://host or https://host:port and nothing more")
    return f"https://{parts.netloc}"
