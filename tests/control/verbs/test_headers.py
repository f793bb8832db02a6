"""Header fields that a mailbox loses, until it has sent them by JSON."""

import asyncio
from pathlib import Path

import pytest

from graphrelay.control.socket.place import control_socket_in
from graphrelay.control.verb import Output, VerbError
from graphrelay.sandbox.mailbox_settings import PROMOTED, MailSettings
from tests.control.socket.asking import converse
from tests.world import World, world


async def taught(here: World, *names: str, account: str = "website", **more: str) -> list[Output]:
    socket = control_socket_in(here.config.parent / "state")
    arguments = {"account": account, "names": list(names), **more}

    async def ask(what: str) -> str:
        raise AssertionError(what)

    return [event async for event in converse(socket, "teach-headers", arguments, ask)]


async def sent(here: World, number: int) -> bytes:
    def hand_in() -> None:
        with here.client() as client:
            text = "From: wp@contoso.com\r\nTo: you@example.org\r\nX-Shop: 7\r\n\r\ntext\r\n"
            client.sendmail("wp@contoso.com", ["you@example.org"], text)

    await asyncio.to_thread(hand_in)
    return (await here.cloud.mailboxes.arrived(number))[number - 1].delivered


@pytest.mark.parametrize("promoted", [PROMOTED, None])
async def test_a_field_that_was_taught_is_kept(
    tmp_path: Path, promoted: frozenset[str] | None
) -> None:
    """Nothing is sent unless a person asks for it; a mailbox that loses nothing is not affected."""
    settings = MailSettings(promoted_headers=promoted)
    async with world(tmp_path, scenario="user", mail_settings=settings) as here:
        assert (b"X-Shop: 7" in await sent(here, 1)) is (promoted is None)
        (event,) = await taught(here, "X-Shop", "X-Other")
        assert (event["mailbox"], event["names"]) == ("wp@contoso.com", ["X-Shop", "X-Other"])
        lesson = here.cloud.mailboxes.submitted[1]
        assert (lesson.mailbox, lesson.to, lesson.via) == (
            "wp@contoso.com",
            ("wp@contoso.com",),
            "json",
        )
        assert b"X-Shop: 7" in await sent(here, 3)
        assert len(here.cloud.mailboxes.submitted) == 3


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (["Subject"], {}, "begins with X-"),
        (["X-A\r\nBcc"], {}, "begins with X-"),
        ([f"X-{n}" for n in range(6)], {}, "one to 5"),
        ([], {}, "one to 5"),
        (["X-A"], {"mailbox": "ceo@contoso.com"}, "may not use the mailbox ceo@contoso.com"),
        (["X-A"], {"account": "shop"}, "there is no account 'shop', only website"),
    ],
)
async def test_what_cannot_be_taught_is_refused_and_nothing_is_sent(
    tmp_path: Path, names: list[str], more: dict[str, str], said: str
) -> None:
    async with world(tmp_path, scenario="user") as here:
        with pytest.raises(VerbError, match=said):
            await taught(here, *names, **more)
        assert here.cloud.mailboxes.submitted == []
