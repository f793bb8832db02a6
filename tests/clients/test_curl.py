"""curl, as shell scripts use it: with a message of their own, or one that curl puts together."""

from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.programs import run
from tests.tools import needs


def to_everybody(relay: Relay) -> list[str]:
    recipients = [word for address in letter.EVERYBODY for word in ("--mail-rcpt", address)]
    return [
        *("--silent", "--show-error", "--url", f"smtp://{relay.smtp_host}:{relay.smtp_port}"),
        *("--mail-from", letter.SENDER, *recipients),
    ]


async def test_a_message_from_standard_input_arrives(relay: Relay) -> None:
    message = (
        f"From: {letter.SENDER}\nTo: {letter.TO}\nCc: {letter.CC}\nSubject: from a pipe\n\n"
        "line one\n.\n..\nlast line\n"
    )
    await run(
        needs("curl"),
        *(*to_everybody(relay), "--crlf", "--upload-file", "-"),
        stdin=message.encode(),
    )
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == letter.EVERYBODY
    assert arrival.header_addresses("To") == [letter.TO]
    assert letter.BCC.encode() not in arrival.raw
    assert arrival.subject == "from a pipe"
    assert arrival.text == "line one\n.\n..\nlast line"


async def test_a_form_becomes_a_letter_with_an_attachment(relay: Relay, tmp_path: Path) -> None:
    await run(
        needs("curl"),
        *to_everybody(relay),
        *("--header", f"From: {letter.SENDER}", "--header", f"To: {letter.TO}"),
        *("--header", f"Cc: {letter.CC}", "--header", "Subject: a form"),
        *("--form", f"={letter.TEXT};type=text/plain; charset=utf-8;encoder=quoted-printable"),
        *("--form", f"file=@{letter.written(tmp_path)};encoder=base64"),
    )
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == letter.EVERYBODY
    assert letter.BCC.encode() not in arrival.raw
    assert arrival.text == letter.TEXT
    assert arrival.attachments == {"scan.bin": letter.SCAN}


async def test_every_kind_of_letter_arrives(relay: Relay) -> None:
    for one in letters.ALL:
        await run(
            needs("curl"),
            *("--silent", "--show-error", "--url", f"smtp://{relay.smtp_host}:{relay.smtp_port}"),
            *("--mail-from", letter.SENDER),
            *(word for address in one.everybody for word in ("--mail-rcpt", address)),
            *("--upload-file", "-"),
            stdin=one.octets(line_end="\r\n"),
        )
    await letters.assert_arrived(relay, *letters.ALL)


async def test_tls_and_login_are_used_when_asked_for(relay: Relay) -> None:
    one = letters.TEXT
    await run(
        needs("curl"),
        *("--silent", "--show-error", "--url", f"smtp://localhost:{relay.tls_port}", "--ssl-reqd"),
        *("--cacert", relay.ca_file, "--user", f"{LOGIN.name}:{LOGIN.password}"),
        *("--mail-from", letter.SENDER),
        *(word for address in one.everybody for word in ("--mail-rcpt", address)),
        *("--upload-file", "-"),
        stdin=one.octets(line_end="\r\n"),
    )
    await letters.assert_arrived(relay, one)
