"""swaks, with which admins try mail servers."""

from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.programs import run
from tests.tools import needs


async def test_a_letter_with_an_attachment_arrives(relay: Relay, tmp_path: Path) -> None:
    said = await run(
        needs("swaks"),
        *("--server", relay.smtp_host, "--port", str(relay.smtp_port)),
        *("--from", letter.SENDER, "--to", ",".join(letter.EVERYBODY)),
        *("--header", f"To: {letter.TO}", "--header", f"Cc: {letter.CC}"),
        *("--header", "Subject: swaks speaking", "--body", "Hello,\\n.\\nthe end"),
        *("--attach", f"@{letter.written(tmp_path)}"),
        env=letter.environment(tmp_path),
    )
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == letter.EVERYBODY
    assert arrival.header_addresses("To") == [letter.TO]
    assert letter.BCC.encode() not in arrival.raw
    assert arrival.subject == "swaks speaking"
    assert arrival.text == "Hello,\n.\nthe end"
    assert arrival.attachments == {"scan.bin": letter.SCAN}
    assert "250" in said


async def test_pipelined_commands_are_answered_in_order(relay: Relay, tmp_path: Path) -> None:
    await run(
        needs("swaks"),
        *("--server", relay.smtp_host, "--port", str(relay.smtp_port), "--pipeline"),
        *("--from", letter.SENDER, "--to", ",".join(letter.EVERYBODY)),
        *("--header", "Subject: in one breath", "--body", "pipelined"),
        env=letter.environment(tmp_path),
    )
    (arrival,) = await relay.arrived(1)
    assert arrival.recipients == letter.EVERYBODY
    assert arrival.text == "pipelined"


async def test_every_kind_of_letter_arrives(relay: Relay, tmp_path: Path) -> None:
    for one in letters.ALL:
        await run(
            needs("swaks"),
            *("--server", relay.smtp_host, "--port", str(relay.smtp_port), "--no-hints"),
            *("--from", letter.SENDER, "--to", ",".join(one.everybody), "--data", "-"),
            stdin=one.octets(),
            env=letter.environment(tmp_path),
        )
    await letters.assert_arrived(relay, *letters.ALL)


async def test_tls_and_login_are_used_when_asked_for(relay: Relay, tmp_path: Path) -> None:
    one = letters.TEXT
    needs("perl-ssl")
    await run(
        needs("swaks"),
        *("--server", "localhost", "--port", str(relay.tls_port), "--tls", "--tls-verify"),
        *("--tls-ca-path", relay.ca_file, "--auth", "LOGIN"),
        *("--auth-user", LOGIN.name, "--auth-password", LOGIN.password),
        *("--from", letter.SENDER, "--to", ",".join(one.everybody), "--data", "-"),
        stdin=one.octets(),
        env=letter.environment(tmp_path),
    )
    await letters.assert_arrived(relay, one)
