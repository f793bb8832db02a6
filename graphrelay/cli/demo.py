"""`graphrelay demo`: the sandbox cloud and the relay in one process.

The account is authorized as a user would do it: the relay opens its loopback redirect and requests
an authorization code with PKCE; the sandbox's visitor fills in the sign-in page and accepts.
Nothing leaves this machine, and nothing remains on it.
"""

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphrelay.cli import output
from graphrelay.cli.ask import CommandFailed

if TYPE_CHECKING:
    from graphrelay.daemon.relay import Relay
    from graphrelay.journal import Entry
    from graphrelay.sandbox import Sandbox


KEEPS_MAIL = """
[log]
keep_messages = "1d"
"""
"""So that the console shows what was sent, and sends it again."""


@click.command(name="demo")
@click.option(
    "--smtp-port",
    type=output.port,
    default=2525,
    show_default=True,
    metavar="PORT",
    help="Where the relay accepts mail; 0: any free port.",
)
@click.option(
    "--page-port",
    type=output.port,
    default=8025,
    show_default=True,
    metavar="PORT",
    help="Where the mail reader is; 0: any free port.",
)
@click.option(
    "--console-port",
    type=output.port,
    default=8026,
    show_default=True,
    metavar="PORT",
    help="Where the console of the relay is; 0: any free port.",
)
def command(smtp_port: int, page_port: int, console_port: int) -> None:
    """Try everything on this machine, without a Microsoft account.

    Starts a sandbox of Microsoft's cloud and a relay, authorizes an account, and prints how to send
    a message with curl, Python and PHP. Each step of a message is shown, a web page shows what has
    arrived, and another one is the relay's console. Ctrl-C ends the demo and removes everything.
    """
    from graphrelay.daemon.relay import CannotStart

    try:
        asyncio.run(_demo(smtp_port, page_port, console_port))
    except (CannotStart, OSError) as error:
        if isinstance(error, OSError) and error.errno in output.UNWRITTEN:
            raise
        ports = "choose other ports with --smtp-port and --page-port, or make demo PORT=… PAGE=…"
        raise CommandFailed(f"{error} ({ports})") from error


async def _demo(smtp_port: int, page_port: int, console_port: int) -> None:
    from graphrelay.clock import SystemClock
    from graphrelay.control.verbs.reload import ReloadRequests
    from graphrelay.daemon.reading_process import read
    from graphrelay.daemon.relay import running
    from graphrelay.daemon.relay_settings import Found
    from graphrelay.daemon.signals import Reloader
    from graphrelay.daemon.systemd import Notifier
    from graphrelay.sandbox import Sandbox
    from graphrelay.sandbox.config import relay_config

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="graphrelay-demo-") as folder:
        async with Sandbox(page_port=page_port) as cloud:
            text = relay_config(
                cloud,
                Path(folder, "state"),
                f"127.0.0.1:{smtp_port}",
                console=f"127.0.0.1:{console_port}",
            )
            config = Path(folder, "config.toml")
            text += KEEPS_MAIL
            config.write_text(text, encoding="utf-8")  # noqa: ASYNC240 (before anything is served)
            found, reloads, clock = read(config), ReloadRequests(), SystemClock()
            assert isinstance(found, Found)  # noqa: S101 (made above)
            settings = found.settings
            async with running(settings, clock, _stage, reloads=reloads, config=config) as relay:
                reloader = Reloader(config, found, relay, Notifier({}), clock)
                reloading = asyncio.create_task(reloader.run(reloads))
                try:
                    await _present(cloud, relay)
                    await stop.wait()
                    click.echo("\nfinishing the requests in flight …")
                finally:
                    reloading.cancel()
    click.echo("the demo has ended; nothing is left on this machine")


async def _present(cloud: "Sandbox", relay: "Relay") -> None:
    """Authorize the account, and say how to use it all."""
    end = await authorize(cloud, relay)
    if end["kind"] != "authorized":
        raise CommandFailed(f"the demo's account could not be authorized: {end['reason']}")
    scopes = ", ".join(end["granted"])
    _say("authorized", f"{end['who']} by authorization code with PKCE ({scopes})")
    _invite(cloud, relay, relay.console.link("the demo") if relay.console else "")


async def authorize(
    cloud: "Sandbox", relay: "Relay", who: str = "wp@contoso.com"
) -> dict[str, Any]:
    """Authorize the account `website` by the verb that `graphrelay authorize` uses, with the
    sandbox's visitor, signing in as `who`, for the person; the verb's last event."""
    from graphrelay.control.verbs.authorizations import AuthorizationVerbs
    from graphrelay.sandbox.visitor import Visitor

    verb = AuthorizationVerbs(relay.tokens).table()["authorize"]
    event: dict[str, Any] = {}
    async with Visitor(cloud.ca_file) as visitor, asyncio.TaskGroup() as browser:
        async for event in verb({"account": "website", "by": "the sandbox"}, _nobody):
            if event["kind"] == "open":
                browser.create_task(visitor.sign_in(event["url"], who, follow=True))
    return event


async def _nobody(what: str) -> str:
    raise CommandFailed(f"the demo cannot answer the question for {what}")


def _invite(cloud: "Sandbox", relay: "Relay", console: str) -> None:
    port = relay.addresses[0].rpartition(":")[2]
    page = click.style(cloud.page_url, bold=True)
    way_in = click.style(console or "nowhere, since it does not listen", bold=True)
    from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT

    click.echo(f"""
The relay accepts mail on 127.0.0.1:{port}. What arrives is shown at {page}
Its console, by a link that works once within five minutes: {way_in}

Send a message from another terminal:

  curl    printf 'From: Shop <wp@contoso.com>\\nSubject: Hello from curl\\n\\nIt works.\\n' \\
            | curl -sS smtp://127.0.0.1:{port} --mail-from wp@contoso.com \\
                   --mail-rcpt alice@contoso.com --upload-file -

  Python  python3 -c "import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail('wp@contoso.com',
            ['alice@contoso.com'], 'Subject: Hello from Python\\n\\nIt works.')"

  PHP     php -r '$s = stream_socket_client("tcp://127.0.0.1:{port}"); foreach (["", "HELO php",
            "MAIL FROM:<wp@contoso.com>", "RCPT TO:<alice@contoso.com>", "DATA",
            "Subject: Hello from PHP\\r\\n\\r\\nIt works.\\r\\n.", "QUIT"] as $c) {{
            if ($c) fwrite($s, "$c\\r\\n"); echo fgets($s); }}'

The recipient can be any address.

To try the console's page Set up:

  tenant         contoso.onmicrosoft.com
  a person       client id {PUBLIC_CLIENT}, user info@contoso.com, password pass
  an application client id {CONFIDENTIAL_CLIENT}, mailbox *@contoso.com,
                 secret {CLIENT_SECRET}

Ctrl-C ends the demo.
""")


def _stage(entry: "Entry") -> None:
    """One event of the journal as one line."""
    from graphrelay.journal import events

    match entry.what:
        case events.Accepted(reverse_path=sender, recipients=recipients, size=size):
            text = f"<{sender or ''}> → {', '.join(map(str, recipients))}, {size} octets"
        case events.Attempt(submission=submission, number=number):
            text = f"number {number} through mailbox {submission.plan.lane.mailbox}"
        case events.Relayed(outcome=outcome, took=took):
            text = f"Graph answered {outcome.answer.http_status} after {took.total_seconds():.3f} s"
        case events.Unauthorized():
            return  # until the visitor has signed in
        case events.ConsoleListening(address=address):
            text = f"the console on {address}"
        case events.Listening(address=address):
            text = f"SMTP on {address}"
        case _ if entry.level != "info" or isinstance(entry.what, events.Resumed):
            text = " ".join(f"{key}={value}" for key, value in entry.fields.items() if value)
        case _:
            return
    _say(entry.event, f"{entry.queue_id} {text}".strip())


_COLOURS = {"accepted": "cyan", "attempt": "blue", "relayed": "green", "authorized": "green"}


def _say(event: str, text: str) -> None:
    click.echo(f"{click.style(f'{event:<11}', fg=_COLOURS.get(event, 'yellow'))} {text}")
