"""s-nail, the mail command that cron jobs and scripts pipe into."""

from pathlib import Path

from tests.clients import letter
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
