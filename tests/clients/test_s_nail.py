"""s-nail, the mail command that cron jobs and scripts pipe into."""

from dataclasses import replace
from pathlib import Path

from tests.clients import letter, letters
from tests.clients.arrivals import Relay
from tests.clients.programs import run
from tests.tools import needs


async def test_a_letter_piped_into_mail_arrives(relay: Relay, tmp_path: Path) -> None:
    await run(
        needs("s-nail"),
        *("-:/", "-r", letter.SENDER, "-c", letter.CC, "-b", letter.BCC),
        *("-s", letter.SUBJECT, "-a", letter.written(tmp_path)),
        *("-S", f"mta=smtp://{relay.smtp_host}:{relay.smtp_port}", "-S", "smtp-auth=none"),
        *("-S", "v15-compat=yes", "-S", "sendwait", letter.TO),
        stdin=letter.TEXT.encode(),
        env=letter.environment(tmp_path),
    )
    (arrival,) = await relay.arrived(1)
    letter.assert_is_the_letter(arrival)


async def test_every_kind_of_letter_that_it_can_write_arrives(relay: Relay, tmp_path: Path) -> None:
    """It writes one body: text or HTML. It does not support addresses in UTF-8."""
    for one in letters.ASCII:
        scan = tmp_path / letters.SCAN
        scan.write_bytes(one.scan)
        await run(
            needs("s-nail"),
            *("-:/", "-S", f"DEAD={tmp_path / 'dead.letter'}", "-r", letter.SENDER),
            *(word for address in one.cc for word in ("-c", address)),
            *(word for address in one.bcc for word in ("-b", address)),
            *("-s", one.subject, *(("-a", scan) if one.scan else ())),
            *(("-M", "text/html") if one.html else ()),
            *("-S", f"mta=smtp://{relay.smtp_host}:{relay.smtp_port}", "-S", "smtp-auth=none"),
            *("-S", "v15-compat=yes", "-S", "sendwait", *one.to),
            stdin=(one.html or one.text).encode(),
            env=letter.environment(tmp_path),
        )
    without_text = replace(letters.HTML, text="")
    await letters.assert_arrived(relay, *(set(letters.ASCII) - {letters.HTML}), without_text)
