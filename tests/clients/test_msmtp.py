"""msmtp by itself, as mail programs and cron jobs call it."""

import shlex
from pathlib import Path

from tests.clients import letter, letters, msmtp
from tests.clients.arrivals import Relay
from tests.clients.programs import run


async def test_every_kind_of_letter_arrives(relay: Relay, tmp_path: Path) -> None:
    command = shlex.split(msmtp.sendmail(relay, tmp_path))
    for one in letters.ALL:
        await run(*command, stdin=one.octets(bcc=True), env=letter.environment(tmp_path))
    await letters.assert_arrived(relay, *letters.ALL)


async def test_every_kind_of_letter_arrives_with_tls_and_login(
    relay: Relay, tmp_path: Path
) -> None:
    command = shlex.split(msmtp.sendmail_with_login(relay, tmp_path))
    for one in letters.ALL:
        await run(*command, stdin=one.octets(bcc=True), env=letter.environment(tmp_path))
    await letters.assert_arrived(relay, *letters.ALL)
