"""Python's smtplib, as cron jobs and web frameworks use it."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from tests.clients import letter, letters
from tests.clients.arrivals import LOGIN, Relay


def the_letter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Webshop <{letter.SENDER}>"
    message["To"] = letter.TO
    message["Cc"] = letter.CC
    message["Bcc"] = letter.BCC
    message["Subject"] = letter.SUBJECT
    message.set_content(letter.TEXT)
    message.add_attachment(
        letter.SCAN, maintype="application", subtype="octet-stream", filename="scan.bin"
    )
    return message


async def test_send_message_reaches_everybody_once(relay: Relay) -> None:
    def send() -> None:
        with smtplib.SMTP(relay.smtp_host, relay.smtp_port, timeout=30) as smtp:
            refused = smtp.send_message(the_letter())
        assert refused == {}

    await asyncio.to_thread(send)
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)


async def test_many_messages_go_over_one_connection(relay: Relay) -> None:
    def send() -> None:
        with smtplib.SMTP(relay.smtp_host, relay.smtp_port, timeout=30) as smtp:
            for number in range(10):
                text = f"From: {letter.SENDER}\r\nSubject: number {number}\r\n\r\nhello\r\n"
                smtp.sendmail(letter.SENDER, [f"user{number}@example.org"], text.encode())

    await asyncio.to_thread(send)
    arrivals = await relay.arrived(10)
    assert sorted((arrival.recipients, arrival.subject) for arrival in arrivals) == [
        ((f"user{number}@example.org",), f"number {number}") for number in range(10)
    ]


async def test_recipients_in_no_header_receive_and_stay_unseen(relay: Relay) -> None:
    def send() -> None:
        with smtplib.SMTP(relay.smtp_host, relay.smtp_port, timeout=30) as smtp:
            text = f"From: {letter.SENDER}\r\nSubject: no To\r\n\r\nhello\r\n"
            smtp.sendmail(letter.SENDER, list(letter.EVERYBODY), text.encode())

    await asyncio.to_thread(send)
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == letter.EVERYBODY
    assert not any(address.encode() in arrival.raw for address in letter.EVERYBODY)


async def test_every_kind_of_letter_arrives(relay: Relay) -> None:
    def send() -> None:
        with smtplib.SMTP(relay.smtp_host, relay.smtp_port, timeout=30) as smtp:
            for one in letters.ALL:
                assert smtp.send_message(one.message(bcc=True)) == {}

    await asyncio.to_thread(send)
    await letters.assert_arrived(relay, *letters.ALL)


async def test_every_kind_of_letter_arrives_with_tls_and_login(relay: Relay) -> None:
    def send() -> None:
        trust = ssl.create_default_context(cafile=relay.ca_file)
        with smtplib.SMTP("localhost", relay.tls_port, timeout=30) as smtp:
            smtp.starttls(context=trust)
            smtp.login(LOGIN.name, LOGIN.password)
            for one in letters.ALL:
                assert smtp.send_message(one.message(bcc=True)) == {}

    await asyncio.to_thread(send)
    await letters.assert_arrived(relay, *letters.ALL)
