"""Transcripts: what an admin sees of a device's failed conversation, and what is never shown."""

import ipaddress

import pytest

from graphrelay.smtp.access.listener import Listener
from graphrelay.smtp.access.login import Login
from graphrelay.smtp.connection.transcript import Transcript
from tests.smtp.passwords import quick_hash
from tests.smtp.reception import House, serving, until

HERE = (ipaddress.ip_network("127.0.0.1/32"),)
LOGIN = Login("scanner", quick_hash("secret"))
LISTENER = Listener(address="127.0.0.1:0", auth="optional")


async def transcript(house: House) -> list[str]:
    await until(lambda: house.events("transcript"))
    lines = house.events("transcript")[0].fields["lines"]
    assert isinstance(lines, list)
    return lines


async def test_a_failed_conversation_is_written_down_without_its_secrets() -> None:
    async with serving(LISTENER, logins=(LOGIN,), transcribed=HERE) as house:
        async with await house.greeted("HELO printer") as client:
            assert (await client.ask("AUTH PLAIN AHNjYW5uZXIAd3Jvbmc=")).startswith("535")
            assert (await client.ask("auth LOGIN c2Nhbm5lcg==")).startswith("334")
            assert (await client.ask("c2VjcmV0")).startswith("235")
            client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
            assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            assert (await client.ask("private words", ".")).startswith("250")
            assert (await client.ask("QUIT")).startswith("221")
        assert await transcript(house) == [
            "S: 220 relay.example ESMTP graphrelay",
            "C: HELO printer",
            "S: 250 relay.example",
            "C: AUTH PLAIN ****",
            "S: 535 5.7.8 Wrong name or password",
            "C: auth LOGIN ****",
            "S: 334 UGFzc3dvcmQ6",
            "C: ****",
            "S: 235 2.7.0 Logged in",
            "C: MAIL FROM:<a@b.example>",
            "S: 250 2.1.0 Sender ok",
            "C: RCPT TO:<c@d.example>",
            "S: 250 2.1.5 Recipient ok",
            "C: DATA",
            "S: 354 End data with <CR><LF>.<CR><LF>",
            "C: (18 octets of a message)",
            "S: 250 2.0.0 Ok: queued as Q1",
            "C: QUIT",
            "S: 221 2.0.0 Bye",
        ]


async def test_secrets_of_a_client_that_is_deaf_to_refusals_are_not_written_down() -> None:
    async with serving(transcribed=HERE) as house:
        async with await house.greeted("HELO printer") as client:
            client.say("AUTH LOGIN", "c2Nhbm5lcg==", "c2VjcmV0", "XYZZY", "NOOP")
            assert [(await client.reply())[:3] for _ in range(5)] == ["503", *["500"] * 3, "250"]
            assert (await client.ask("DATA")).startswith("503")
            assert (await client.ask("Subject: private words")).startswith("500")
            assert (await client.ask("QUIT")).startswith("221")
        lines = await transcript(house)
    assert [line for line in lines if line.startswith("C: ")] == [
        "C: HELO printer",
        "C: AUTH LOGIN",
        "C: (14 octets that are not a command)",
        "C: (10 octets that are not a command)",
        "C: (7 octets that are not a command)",
        "C: NOOP",
        "C: DATA",
        "C: (24 octets that are not a command)",
        "C: QUIT",
    ]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("AUTH=PLAIN AHNjYW5uZXIAeA==", "AUTH=PLAIN ****"),
        ("auth\tplain\tAHNjYW5uZXIAeA==", "auth\ufffdplain ****"),
        ("AUTH AHNjYW5uZXIAeA==", "AUTH ****"),
        ("AUTHPLAINAHNjYW5uZXIAeA==", "AUTHPLAIN ****"),
        ("AUTH CRAM-MD5", "AUTH CRAM-MD5"),
        ("XYZZY", "XYZZY"),
    ],
)
def test_a_login_is_masked_in_any_spelling(said: str, written: str) -> None:
    kept = Transcript()
    kept.heard(f"{said}\r\n".encode())
    assert kept.lines() == [f"C: {written}"]


async def test_nothing_is_written_down_of_what_went_well_or_of_others() -> None:
    async with serving(transcribed=HERE) as house:
        async with await house.greeted() as client:
            assert (await client.ask("QUIT")).startswith("221")
        await house.server.stop()
        assert house.events("transcript") == []
    async with serving() as house:
        async with await house.greeted() as client:
            assert (await client.ask("XYZZY")).startswith("500")
        await house.server.stop()
        assert house.events("transcript") == []


def test_a_transcript_is_bounded_and_printable() -> None:
    kept = Transcript()
    for number in range(1_000):
        kept.heard(b"NOOP \xff\x00\x1b[31m %d" % number + b"x" * 5_000 + b"\r\n")
    lines = kept.lines()
    assert len(lines) == 100
    assert all(len(line) <= 200 and line.isprintable() for line in lines)
    assert " 999" in lines[-1]
