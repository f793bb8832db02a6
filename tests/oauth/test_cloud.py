"""A token is requested from one host and valid for another: the pair is the cloud."""

import pytest

from graphrelay.oauth.cloud import TokenCloud, permission_of

PAIRS = [
    ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ("https://localhost:8443/", "https://localhost:8443/"),
]


@pytest.mark.parametrize(("login", "graph"), PAIRS)
def test_a_scope_names_the_graph_of_its_cloud(login: str, graph: str) -> None:
    cloud = TokenCloud(login, graph)
    graph = graph.rstrip("/")
    assert cloud.scope("Mail.Send") == f"{graph}/Mail.Send"
    assert cloud.default_scope == f"{graph}/.default"
    assert cloud.authority("contoso.com") == f"{login.rstrip('/')}/contoso.com"
    assert permission_of(cloud.scope("Mail.Send")) == "Mail.Send"


@pytest.mark.parametrize(
    "scope",
    [
        "Mail.Send",
        "https://GRAPH.microsoft.com/Mail.Send",
        "https://graph.microsoft.com//Mail.Send",
        "https://graph.microsoft.us/Mail.Send",
        "00000003-0000-0000-c000-000000000000/Mail.Send",
    ],
)
def test_a_permission_is_read_whatever_its_resource_is_called(scope: str) -> None:
    assert permission_of(scope) == "Mail.Send"
