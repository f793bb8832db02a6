"""The `scope` parameter: which resource, which permissions, and how the answer names them.

    openid offline_access https://graph.microsoft.com/Mail.Send   a permission of Graph
    Mail.Send                                                     the same, Graph understood
    https://graph.microsoft.com/.default                          whatever was granted before

A request is for one resource; here that is always Graph, under any of its names.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from graphrelay.sandbox.entra.errors import Refused
from graphrelay.sandbox.tokens import GRAPH, GRAPH_APP_ID

OIDC = frozenset({"openid", "profile", "email", "offline_access"})
GRAPH_NAMES = frozenset(
    {
        GRAPH,
        GRAPH_APP_ID,
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    }
)
DELEGATED = frozenset(
    {
        "Mail.Read",
        "Mail.Read.Shared",
        "Mail.ReadBasic",
        "Mail.ReadWrite",
        "Mail.ReadWrite.Shared",
        "Mail.Send",
        "Mail.Send.Shared",
        "MailboxSettings.Read",
        "User.Read",
    }
)
"""The delegated permissions that the sandbox's Graph knows."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for."""

    oidc: frozenset[str]
    permissions: frozenset[str]
    """Of Graph, in their own spelling."""
    default: bool
    """`.default` instead of named permissions."""
    prefix: str
    """`https://graph.microsoft.com/`, or empty where Graph was understood."""

    def needed(self, registered: Iterable[str]) -> frozenset[str]:
        """What consent is needed for; `.default` means all that the registration lists."""
        named = frozenset(registered) if self.default else self.permissions
        return named | self.oidc

    def answer(self, granted: Iterable[str]) -> str:
        """The answer's `scope`: `granted`, in the form that the request used."""
        names = [f"{self.prefix}{name}" for name in sorted(set(granted) - OIDC)]
        own = sorted(self.oidc - {"offline_access"})
        return " ".join([*own, *names, *([f"{self.prefix}.default"] if self.default else [])])


def parse(scope: str, graph_url: str, app_name: str, tenant: str) -> Wanted:
    """Read a `scope` parameter. Raises `Refused`: 70011, 28000, 500011, 650053."""
    words = scope.split()
    if not words:
        raise Refused(900144, parameter="scope")
    named = [_split(word) for word in words if word.casefold() not in OIDC]
    oidc = frozenset(word.casefold() for word in words) & OIDC
    prefixes = {prefix for prefix, _ in named}
    names = GRAPH_NAMES | {graph_url, graph_url.replace("//localhost:", "//127.0.0.1:")}
    for prefix in prefixes:
        if prefix and prefix.rstrip("/") not in names:
            raise Refused(500011, resource=prefix.rstrip("/"), tenant=tenant)
    if len(prefixes - {""}) > 1:
        raise Refused(28000, scope=scope)
    permissions = {name for _, name in named}
    if ".default" in permissions and (len(permissions) > 1 or "" in prefixes):
        raise Refused(70011, scope=scope)
    spelled = frozenset(_spelling(name, app_name) for name in permissions - {".default"})
    return Wanted(oidc, spelled, ".default" in permissions, max(prefixes, default=""))


def _split(word: str) -> tuple[str, str]:
    """`https://graph.microsoft.com/Mail.Send` -> (`https://graph.microsoft.com/`, `Mail.Send`)."""
    resource, slash, name = word.rpartition("/")
    return (f"{resource}/", name) if slash else ("", word)


def _spelling(name: str, app_name: str) -> str:
    for known in DELEGATED:
        if known.casefold() == name.casefold():
            return known
    raise Refused(650053, scope=name, app_name=app_name)
