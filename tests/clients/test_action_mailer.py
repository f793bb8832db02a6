"""ActionMailer, with which programs written for Rails send: GitLab, Redmine, Mastodon.

Texts of one line: the library below it, as Debian 12 has it, doubles the CR of line ends.
"""

from dataclasses import replace
from pathlib import Path

from tests.clients import letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.pages import blocks, changed
from tests.clients.programs import run
from tests.tools import needs

LETTERS = tuple(replace(one, text="Grüße, und ein €-Zeichen") for one in letters.ASCII)


async def send(one: letters.Letter, relay: Relay, settings: str, *login: str | Path) -> None:
    needs("action-mailer")
    script = Path(__file__).with_name("action_mailer.rb")
    await run("ruby", script, settings, *login, stdin=one.as_json(relay))


def documented(relay: Relay) -> str:
    """What the documentation puts into gitlab.rb."""
    (settings,) = blocks("gitlab", "ruby")
    return changed(settings, **{"127.0.0.1": relay.smtp_host, "2525": str(relay.smtp_port)})


async def test_every_kind_of_letter_that_it_can_write_arrives(relay: Relay) -> None:
    for one in LETTERS:
        await send(one, relay, documented(relay))
    await letters.assert_arrived(relay, *LETTERS)


async def test_it_begins_tls_where_it_is_offered_and_logs_in(relay: Relay) -> None:
    secured = changed(
        documented(relay),
        **{
            str(relay.smtp_port): str(relay.tls_port),
            "['smtp_authentication'] = false": "['smtp_authentication'] = 'plain'",
            "auto'] = false": "auto'] = true",
        },
    )
    await send(LETTERS[0], relay, secured, LOGIN.name, LOGIN.password, relay.ca_file)
    await letters.assert_arrived(relay, LETTERS[0])
