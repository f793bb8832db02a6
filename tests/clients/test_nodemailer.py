"""nodemailer, what nearly every program written for Node.js sends with."""

from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import Relay
from tests.clients.programs import run
from tests.tools import needs


async def test_text_html_and_attachment_arrive(relay: Relay) -> None:
    await run(
        needs("node"),
        Path(__file__).with_name("nodemailer.cjs"),
        needs("nodemailer").parent,
        stdin=letter.as_json(relay),
    )
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)
    assert arrival.html == letter.HTML


async def test_every_kind_of_letter_arrives(relay: Relay) -> None:
    script = Path(__file__).with_name("nodemailer.cjs")
    for one in letters.ALL:
        await run(needs("node"), script, needs("nodemailer").parent, stdin=one.as_json(relay))
    await letters.assert_arrived(relay, *letters.ALL)
