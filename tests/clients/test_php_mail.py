"""PHP's mail(), through msmtp as its sendmail_path."""

import json
from pathlib import Path

from tests.clients import letter, msmtp
from tests.clients.arrivals import Arrival, Relay
from tests.clients.pages import FOLDER, blocks, changed
from tests.clients.programs import run
from tests.tools import needs


async def mailed(relay: Relay, folder: Path, **fields: object) -> Arrival:
    await run(
        needs("php"),
        *("-d", f"sendmail_path={msmtp.sendmail(relay, folder)}"),
        Path(__file__).with_name("php_mail.php"),
        stdin=json.dumps(fields).encode(),
        env=letter.environment(folder),
    )
    (arrival,) = await relay.arrived(1)
    return arrival


async def test_recipients_come_from_all_the_headers(relay: Relay, tmp_path: Path) -> None:
    arrival = await mailed(
        relay,
        tmp_path,
        to=letter.TO,
        subject="=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=",
        text="Grüß Gott,\n.\nEnde",
        headers={
            "From": f"Shop <{letter.SENDER}>",
            "Cc": letter.CC,
            "Bcc": letter.BCC,
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=utf-8",
        },
    )
    assert arrival.recipients == letter.EVERYBODY
    assert arrival.sender == letter.SENDER
    assert letter.BCC.encode() not in arrival.raw
    assert arrival.subject == "Grüße"
    assert arrival.text == "Grüß Gott,\n.\nEnde"


async def test_a_call_without_any_header_arrives(relay: Relay, tmp_path: Path) -> None:
    arrival = await mailed(
        relay, tmp_path, to=letter.TO, subject="disk full", text="on web1", headers=[]
    )
    assert arrival.recipients == (letter.TO,)
    assert arrival.sender == letter.SENDER
    assert arrival.subject == "disk full"
    assert arrival.text == "on web1"


async def test_the_line_and_the_command_of_the_documentation_send(relay: Relay) -> None:
    (line,) = blocks("php", "ini")
    program = str(relay.sendmail.program)
    (setting,) = changed(line, **{"/usr/sbin/graphrelay-sendmail": program}).splitlines()
    name, _, command = setting.partition(" = ")
    code = """mail("you@contoso.com", "It works", "Hello");"""
    await run(
        needs("php"),
        *("-d", f"{name}={command.strip(chr(34))}", "-r", code),
        env=relay.sendmail.environment,
    )
    (arrival,) = await relay.arrived(1)
    assert (arrival.recipients, arrival.subject) == (("you@contoso.com",), "It works")
    assert code[:-1] in (FOLDER / "php.md").read_text("utf-8")
