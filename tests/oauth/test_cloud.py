"""A token is asked for at one host and good for another: the pair is the cloud."""

import pytest

from graphrelay.oauth.cloud import GLOBAL, Cloud

PAIRS = [
    ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ("https://localhost:8443/", "https://localhost:8443/"),
]


@pytest.mark.parametrize(("login", "graph"), PAIRS)
def test_a_scope_names_the_graph_of_its_cloud(login: str, graph: str) -> None:
    cloud = Cloud(login, graph)
    graph = graph.rstrip("/")
    assert cloud.scope("Mail.Send") == f"{graph}/Mail.Send"
    assert cloud.default_scope == f"{graph}/.default"
    assert cloud.authority("contoso.com") == f"{login.rstrip('/')}/contoso.com"
    assert cloud.permission(cloud.scope("Mail.Send")) == "Mail.Send"


def test_a_scope_is_read_in_any_spelling_of_its_resource() -> None:
    assert GLOBAL.permission("https://GRAPH.microsoft.com/Mail.Send") == "Mail.Send"
    assert GLOBAL.permission("Mail.Send") == "Mail.Send"
    other = "https://graph.microsoft.us/Mail.Send"
    assert GLOBAL.permission(other) == other
