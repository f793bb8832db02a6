"""Postfix with the relay as its smarthost, set up as its page in the documentation says: TLS and
login are demanded, it queues and splits the messages by itself."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import postfix
from tests.clients import letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.pages import blocks, changed
from tests.tools import needs, needs_root


@asynccontextmanager
async def smarthost_client(relay: Relay) -> AsyncIterator[int]:
    """A Postfix that relays all mail; the port where it accepts mail."""
    # Not pytest's own temporary folder: Postfix's users need access, and pytest makes it private
    # again at each start.
    with tempfile.TemporaryDirectory() as folder:
        async with _running(relay, Path(folder) / "postfix") as port:
            yield port


@asynccontextmanager
async def _running(relay: Relay, folder: Path) -> AsyncIterator[int]:
    needs("postfix")
    needs("sasl")
    needs_root()
    smarthost = f"[127.0.0.1]:{relay.tls_port}"
    plain, login = blocks("postfix")
    as_whom = {"server1:password": f"{LOGIN.name}:{LOGIN.password}"}
    written = changed(plain, **{"[127.0.0.1]:2525": smarthost})
    written += changed(login, **{"[relay.example]:2525": smarthost}, **as_whom)
    settings = dict(line.split(" = ", 1) for line in written.splitlines())
    settings |= {  # a certificate that no authority of the system has signed
        "smtp_tls_security_level": "secure",
        "smtp_tls_secure_cert_match": "localhost",
        "smtp_tls_CAfile": str(relay.ca_file),
    }
    running = postfix.postfix(folder, settings)
    port, _ = await asyncio.to_thread(running.__enter__)
    try:
        yield port
    except BaseException as error:
        error.add_note(postfix.said(folder))
        raise
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def test_every_kind_of_letter_arrives(relay: Relay) -> None:
    sent = [one for one in letters.ALL if one is not letters.MANY]
    async with smarthost_client(relay) as port:
        await asyncio.to_thread(letters.hand_in, port, *sent)
        await letters.assert_arrived(relay, *sent)


async def test_sixty_recipients_in_two_transactions_receive_once_each(relay: Relay) -> None:
    async with smarthost_client(relay) as port:
        await asyncio.to_thread(letters.hand_in, port, letters.MANY)
        arrivals = await relay.arrived(2)  # Postfix puts at most fifty into one
    received = [person for arrival in arrivals for person in arrival.recipients]
    assert sorted(received) == sorted(letters.MANY.everybody)
    for arrival in arrivals:
        assert arrival.text == letters.MANY.text
        assert not any(hidden.encode() in arrival.raw for hidden in letters.MANY.bcc)
