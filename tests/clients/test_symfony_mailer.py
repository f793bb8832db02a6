"""Symfony Mailer, with which Nextcloud, Drupal and Laravel send."""

import re
from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.pages import FOLDER
from tests.clients.programs import run
from tests.tools import needs


async def send(stdin: bytes, dsn: str) -> None:
    needs("symfony-mailer")
    script = Path(__file__).with_name("symfony_mailer.php")
    await run(needs("php"), script, dsn, stdin=stdin)


def plain(relay: Relay) -> str:
    """As the documentation has it."""
    (dsn,) = re.findall("MAILER_DSN=([^`]*)", (FOLDER / "php.md").read_text("utf-8"))
    return str(dsn).replace("127.0.0.1:2525", f"{relay.smtp_host}:{relay.smtp_port}")


async def test_text_html_and_attachment_arrive(relay: Relay) -> None:
    await send(letter.as_json(relay), plain(relay))
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)
    assert arrival.html == letter.HTML


async def test_every_kind_of_letter_that_it_can_write_arrives(relay: Relay) -> None:
    """It refuses a local part in UTF-8."""
    for one in letters.ASCII:
        await send(one.as_json(relay), plain(relay))
    await letters.assert_arrived(relay, *letters.ASCII)


async def test_it_begins_tls_where_it_is_offered_and_logs_in(relay: Relay) -> None:
    dsn = f"smtp://{LOGIN.name}:{LOGIN.password}@127.0.0.1:{relay.tls_port}?verify_peer=0"
    await send(letters.TEXT.as_json(relay), dsn)
    await letters.assert_arrived(relay, letters.TEXT)
