"""What a connection is called in a message."""

from datetime import timedelta

from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.proxy import Proxy
from graphrelay.graph.tls import client_context


def test_a_message_names_the_proxy_where_there_is_one() -> None:
    limits = Timeouts(connect=timedelta(seconds=1))
    tls = client_context()
    assert Endpoint(tls, None, limits).peer("graph.microsoft.com") == "graph.microsoft.com"
    assert Endpoint(tls, Proxy("p", 1), limits).peer("graph.microsoft.com") == "the proxy p"
