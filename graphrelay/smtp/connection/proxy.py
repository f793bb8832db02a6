"""The PROXY protocol, by which a load balancer names its clients (HAProxy, versions 1 and 2).

What is always true here: a header is read only from the addresses that the listener names, and from
those it is required. A client that could choose whether to send one could choose who it is.
"""

import asyncio
import logging
from ipaddress import IPv4Address, IPv6Address
from typing import cast

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

from graphrelay.smtp.access.admission import client_address
from graphrelay.smtp.connection.buffer import ClientGone, ConnectionBuffer

logging.getLogger("mail.debug").setLevel(logging.CRITICAL)  # aiosmtpd's; the journal has it


class NoProxyHeader(Exception):  # noqa: N818 (the proxy's fault)
    """The proxy did not name its client; the text says what was wrong."""


async def real_client(buffer: ConnectionBuffer) -> str | None:
    """The client's address from the header, as `client_address` would name it; `None` where the
    connection is the proxy's own (a health check), or where the client has no IP address.

    Raises `NoProxyHeader`, `ClientGone`, `Dismissed`.
    """
    said = await get_proxy(cast(asyncio.StreamReader, _Reader(buffer)))
    if not said.valid:
        raise NoProxyHeader(said.error or "no PROXY header")
    if said.command == V2_CMD.LOCAL or not isinstance(said.src_addr, IPv4Address | IPv6Address):
        return None
    return client_address((str(said.src_addr), said.src_port))


class _Reader:
    """A buffer with the methods that aiosmtpd's reader of the header calls."""

    def __init__(self, buffer: ConnectionBuffer) -> None:
        self._buffer = buffer

    async def readexactly(self, octets: int) -> bytes:
        read = b""
        while len(read) < octets:
            read += await self._buffer.piece(octets - len(read))
        return read

    async def read(self, octets: int) -> bytes:
        try:
            return await self._buffer.piece(octets)
        except ClientGone:
            return b""

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        read = b""
        while not read.endswith(separator):
            read += await self._buffer.piece(1)
            if len(read) > 107:  # the longest header of version 1
                raise NoProxyHeader("a PROXY header of more than 107 octets")
        return read
