"""PHPMailer, the library below most things that PHP sends."""

from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import Relay
from tests.clients.pages import blocks, changed
from tests.clients.programs import run
from tests.tools import needs


async def test_text_html_and_attachment_arrive(relay: Relay) -> None:
    needs("phpmailer")
    script = Path(__file__).with_name("phpmailer.php")
    await run(needs("php"), script, stdin=letter.as_json(relay))
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)
    assert arrival.html == letter.HTML


async def test_every_kind_of_letter_that_it_can_write_arrives(relay: Relay) -> None:
    """Debian's PHPMailer does not accept a local part in UTF-8."""
    needs("phpmailer")
    script = Path(__file__).with_name("phpmailer.php")
    for one in letters.ASCII:
        await run(needs("php"), script, stdin=one.as_json(relay))
    await letters.assert_arrived(relay, *letters.ASCII)


async def test_the_code_of_the_documentation_sends(relay: Relay) -> None:
    needs("phpmailer")
    (code,) = blocks("php", "php")
    where = {"127.0.0.1": relay.smtp_host, "2525": str(relay.smtp_port)}
    parts = ("Exception", "PHPMailer", "SMTP")
    script = "".join(f"require '/usr/share/php/libphp-phpmailer/src/{part}.php';" for part in parts)
    script += changed(code, **where)
    script += f"$mail->setFrom('{letter.SENDER}'); $mail->addAddress('{letter.TO}');"
    script += "$mail->Subject = 'It works'; $mail->Body = 'Hello'; $mail->send();"
    await run(needs("php"), "-r", script)
    (arrival,) = await relay.arrived(1)
    assert (arrival.recipients, arrival.subject) == ((letter.TO,), "It works")
