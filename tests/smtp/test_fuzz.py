"""Whatever octets arrive, the server survives, and accepts only what was ended properly.

For an hour: GRAPHRELAY_FUZZ_SECONDS=3600 pytest tests/smtp/test_fuzz.py
"""

import asyncio
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from graphrelay.smtp.access.listener import Limits, Listener
from graphrelay.smtp.access.login import Login
from tests.smtp.fuzzing import fuzz, unhurried
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import MemoryReception, serving

words = st.sampled_from(
    [
        b"EHLO x\r\n",
        b"HELO\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"MAIL FROM:<> SIZE=9999 BODY=8BITMIME SMTPUTF8\r\n",
        b"RCPT TO:<c@d.example>\r\n",
        b'RCPT TO:<@x:"q\\""@[IPv6:::1]> NOTIFY=NEVER\r\n',
        b"DATA\r\n",
        b"BDAT 5\r\n12345",
        b"BDAT 3 LAST\r\n\r\n.",
        b"BDAT 99999999999\r\n",
        b"Subject: x\r\n\r\ntext\r\n",
        b"\r\n.\r\n",
        b".\r\n",
        b"\n.\n",
        b"..\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"AUTH PLAIN AHNjYW5uZXIAc2VjcmV0\r\n",
        b"AUTH LOGIN\r\nc2Nhbm5lcg==\r\nc2VjcmV0\r\n",
        b"STARTTLS\r\n",
        b"VRFY x\r\nHELP\r\nEXPN\r\n",
        b"QUIT\r\n",
        b"\x16\x03\x01",
        b"GET / HTTP/1.0\r\n\r\n",
        b"x" * 13_000,
        b"\xff\xfe\x00",
        b"\r",
        b"\n",
    ]
)
sessions = st.lists(words | st.binary(max_size=40), max_size=30)


@unhurried
def test_no_octets_crash_the_server_or_make_a_message_of_half_of_one() -> None:
    fuzz(any_session)


@settings(max_examples=300, deadline=None)
@given(sessions, st.lists(st.integers(0, 20_000), max_size=6))
def any_session(parts: list[bytes], places: list[int]) -> None:
    asyncio.run(session(parts, places))


async def session(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    cuts = sorted({place % (len(stream) + 1) for place in places})
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reception = MemoryReception(limit=5_000)
    login = Login("scanner", quick_hash("secret"))
    listener = Listener(address="127.0.0.1:0", auth="optional")
    limits = Limits(max_recipients=3)
    async with serving(listener, reception=reception, logins=(login,), limits=limits) as house:
        async with await house.connect() as client:
            try:
                for piece in pieces:
                    client.send(piece)
                    await client.writer.drain()
                    await asyncio.sleep(0)
                client.writer.write_eof()
                answers = await asyncio.wait_for(client.reader.read(), 10)
            except OSError:
                answers = b""
        async with await house.connect() as another:
            assert await another.ask("QUIT") == "220 relay.example ESMTP graphrelay"
        assert house.events("smtp-trouble") == []
        for line in answers.splitlines():
            assert re.fullmatch(rb"[2-5]\d\d[ -][ -~]*", line), line
        ended = len(re.findall(rb"(?=\r\n\.\r\n|^\.\r\n)", stream)) + stream.upper().count(b"LAST")
        assert len(reception.received) <= ended
        kept = sum(not body.discarded for body in reception.bodies)
        assert kept == len(reception.received)
