"""Only 202 means that Graph accepted a message, and only 201 that a draft was created."""

import asyncio
from pathlib import Path

import pytest

from graphrelay.sandbox.faults import Answer
from tests.world import World, world

RETRY = '\n[delivery]\nretry_min = "1s"\n'


def send(here: World) -> None:
    with here.client() as client:
        client.sendmail("wp@contoso.com", ["a@b.example"], b"Subject: x\r\n\r\ntext\r\n")


@pytest.mark.parametrize("account", ["", "exact_once = true\n"], ids=["sendMail", "a draft"])
async def test_what_graph_did_not_take_is_sent_again(tmp_path: Path, account: str) -> None:
    roles = ("Mail.Send", "Mail.ReadWrite")
    async with world(tmp_path, account=account, extra=RETRY, roles=roles) as here:
        here.cloud.faults.on(Answer(path="/v1.0/users/", method="POST", status=200, times=1))
        await asyncio.to_thread(send, here)
        tried = await here.event("uncertain", "delayed")
        assert "Graph answered 200" in str(tried.fields["reason"])
        assert len(await here.cloud.mailboxes.arrived(1)) == 1
