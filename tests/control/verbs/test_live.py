"""What only a running relay can answer."""

from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.control.verb import Output, VerbError
from graphrelay.daemon.wiring import control_socket
from graphrelay.sandbox.faults import Answer
from tests.control.socket.asking import converse
from tests.world import World, world


async def nobody(what: str) -> str:
    raise AssertionError(f"asked for {what}")


async def asked(here: World, verb: str, **arguments: object) -> list[Output]:
    path = control_socket(load(here.config))
    return [event async for event in converse(path, verb, arguments, nobody)]


async def test_a_test_message_is_followed_to_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        first, *steps, last = await asked(here, "send-test", recipient="alice@contoso.com")
        assert first["kind"] == "accepted"
        assert [step["outcome"] for step in steps] == ["relayed"]
        assert last == {"kind": "relayed", "queue_id": first["queue_id"]}
        (arrived,) = here.cloud.mailboxes.submitted
    assert arrived.head.subject == "Test message from graphrelay"


async def test_a_message_that_takes_too_long_stays_in_the_queue(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.cloud.faults.on(Answer(status=503, part="graph"))
        *_, last = await asked(here, "send-test", recipient="a@contoso.com", patience=0.3)
        assert (last["kind"], last["reason"]) == ("waits", "no result in time")
        (lane,) = await asked(here, "lanes")
        assert lane["waiting"] == 1


async def test_a_sender_that_no_route_takes_is_refused_before_anything_is_stored(
    tmp_path: Path,
) -> None:
    only = '\n[[routes]]\nsender = ["*@contoso.com"]\naccount = "website"\n'
    async with world(tmp_path, extra=only) as here:
        with pytest.raises(VerbError, match="No route takes"):
            await asked(here, "send-test", recipient="a@contoso.com", sender="x@fabrikam.com")
        assert await asked(here, "lanes") == []


async def test_a_test_message_to_nobody_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(VerbError, match="needs a recipient"):
            await asked(here, "send-test")


async def test_a_client_without_a_failed_session_has_no_transcript(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        assert await asked(here, "transcript", client="192.0.2.7") == []
