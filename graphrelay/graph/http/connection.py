"""A connection to Graph: aiohttp's own, with the limits that it does not set.

    no endless head     what comes before the body of an answer, informational answers included, is
                        limited to `LONGEST_HEAD`
    no stray octets     whatever an idle connection says ends it: it must not be taken for the
                        answer to the next message
    no hurried success  a 2xx that comes while the request is still going out counts once it has
                        gone out; a refusal counts at once, and ends the writing
    no long farewell    a connection is closed by ending it, without waiting for the other side

aiohttp has no public way to do this, so that two names are used that it does not document:
`ResponseHandler`, which it derives its protocol from, and the connector's `_factory`.
"""

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

LONGEST_HEAD = 64 * 1024
"""Octets before the body of an answer, informational answers included; more ends the connection."""
AT_ONCE = 96 * 1024
"""Octets that may wait in the kernel before they are on the way."""
_NOT_SENT_LIMIT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Keeps the kernel from taking a whole message into its buffer long before it is on the stream."""

_Head = tuple[RawResponseMessage, StreamReader]


class GraphConnection(ResponseHandler):
    """One connection; its requests follow each other."""

    _head_left = LONGEST_HEAD
    _is_sent = False
    _is_answered = False
    _early: _Head | None = None

    def set_response_params(self, **params: Any) -> None:
        """A request begins."""
        self._head_left, self._is_answered, self._early = LONGEST_HEAD, False, None
        super().set_response_params(**params)

    def start_timeout(self) -> None:
        """The request has gone out whole."""
        super().start_timeout()
        self._is_sent = not self._is_answered
        if self._early is not None:
            early, self._early = self._early, None
            self.feed_data(early)

    def data_received(self, data: bytes) -> None:
        if data and self._is_answered and (self._payload is None or self._payload.is_eof()):
            self.abort()
            return
        was_open = not self._is_answered and self._early is None
        super().data_received(data)
        if was_open and not self._is_answered and self._early is None:
            self._head_left -= len(data)
            if self._head_left < 0:
                said = f"the answer did not begin within {LONGEST_HEAD // 1024} kB of header"
                self.abort()
                self.set_exception(aiohttp.ClientPayloadError(said))

    def feed_data(self, data: _Head, size: int = 0) -> None:
        """The head of an answer was read."""
        status = data[0].code
        if 100 <= status < 200 and status != 101:
            return
        if 200 <= status < 300 and not self._is_sent and not self._is_answered:
            self._early = data
        else:
            self._is_answered, self._is_sent = True, False
            super().feed_data(data, size)  # a second one stays there, and aiohttp sees it

    def close(self) -> None:
        self.abort()


class Connector(aiohttp.TCPConnector):
    """Makes and keeps the connections of one lane: to whatever host, IPv6 and IPv4 in turn
    (RFC 8305), any number of them, each kept for `idle` after its last answer."""

    def __init__(self, tls: ssl.SSLContext, idle: timedelta) -> None:
        super().__init__(
            ssl=tls,
            limit=0,
            keepalive_timeout=idle.total_seconds(),
            resolver=aiohttp.ThreadedResolver(),
            use_dns_cache=False,
            socket_factory=_socket,
        )
        factory: Callable[..., ResponseHandler] = GraphConnection
        self._factory = partial(factory, loop=self._loop)

    def abort(self) -> None:
        """End every connection at once; no request can be made any more."""
        self._close(abort_ssl=True)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    if _NOT_SENT_LIMIT is not None:
        made.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LIMIT, AT_ONCE)
    return made
