"""Each national cloud has hosts of its own, and nothing leads from one cloud to another."""

import pytest

from graphrelay.graph.clouds import CLOUDS, custom_cloud


def test_hosts_are_those_of_microsofts_table() -> None:
    hosts = {name: (cloud.login_url, cloud.graph_url) for name, cloud in CLOUDS.items()}
    assert hosts == {
        "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
        "us-gov-high": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
        "us-gov-dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        "china": (
            "https://login.partner.microsoftonline.cn",
            "https://microsoftgraph.chinacloudapi.cn",
        ),
    }


def test_a_custom_cloud_may_have_a_port_and_loses_a_final_slash() -> None:
    cloud = custom_cloud("https://localhost:8443/", "https://graph.example.org")
    assert (cloud.login_url, cloud.graph_url) == (
        "https://localhost:8443",
        "https://graph.example.org",
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.example.org",
        "graph.example.org",
        "https://",
        "https://user:secret@graph.example.org",
        "https://graph.example.org/v1.0",
        "https://graph.example.org/?x=1",
        "",
    ],
)
def test_a_custom_cloud_is_refused_where_a_token_would_not_be_safe(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        custom_cloud("https://login.example.org", url)
