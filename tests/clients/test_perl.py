"""Perl's Net::SMTP, which many old monitoring scripts use."""

from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import Relay
from tests.clients.programs import run
from tests.clients.test_python import the_letter
from tests.tools import needs


async def test_the_letter_arrives(relay: Relay) -> None:
    message = the_letter()
    del message["Bcc"]
    await run(
        needs("perl"),
        Path(__file__).with_name("net_smtp.pl"),
        *(relay.smtp_host, str(relay.smtp_port), letter.SENDER, *letter.EVERYBODY),
        stdin=message.as_bytes(),
    )
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)


async def test_every_kind_of_letter_arrives(relay: Relay) -> None:
    script = Path(__file__).with_name("net_smtp.pl")
    for one in letters.ALL:
        await run(
            needs("perl"),
            *(script, relay.smtp_host),
            *(str(relay.smtp_port), letter.SENDER, *one.everybody),
            stdin=one.octets(),
        )
    await letters.assert_arrived(relay, *letters.ALL)
