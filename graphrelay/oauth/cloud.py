"""The two hosts of a Microsoft cloud that authorization needs: Entra ID and Graph.

A token is requested at `login_url` and is good for `graph_url` alone: each national cloud has a
pair of its own, and a scope must name the Graph host of its cloud.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenCloud:
    """`https://login.microsoftonline.com` and `https://graph.microsoft.com`, or another pair."""

    login_url: str
    graph_url: str

    def authority(self, tenant: str) -> str:
        """The authority of `tenant` (a domain, a GUID, or `consumers`)."""
        return f"{self.login_url.rstrip('/')}/{tenant}"

    @property
    def resource(self) -> str:
        """What tokens are requested for: the Graph of this cloud."""
        return self.graph_url.rstrip("/")

    def scope(self, permission: str) -> str:
        """`Mail.Send` as a token request names it."""
        return f"{self.resource}/{permission}"

    @property
    def default_scope(self) -> str:
        """All that was granted to the application (the only scope of client credentials)."""
        return self.scope(".default")


def permission_of(scope: str) -> str:
    """The permission that a token response names: the last part of the path. The resource before it
    is that of the request, or another name of it (another host of Graph, its GUID, with `//`)."""
    return scope.rpartition("/")[2]


GLOBAL = TokenCloud("https://login.microsoftonline.com", "https://graph.microsoft.com")
