"""A cloud with small limits, so that small messages count as large ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import Fault, Faults
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.large import REQUEST, SMALLEST_UPLOAD


@pytest.fixture
async def small_limits() -> AsyncIterator[Sandbox]:
    settings = MailSettings(request_limit=REQUEST, attachment_minimum=SMALLEST_UPLOAD)
    async with Sandbox(mail_settings=settings) as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        yield cloud


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a fault has struck."""
    event, take = asyncio.Event(), Faults.take

    def noted(self: Faults, kind: type[Fault], **where: Any) -> Fault | None:
        if fault := take(self, kind, **where):
            event.set()
        return fault

    monkeypatch.setattr(Faults, "take", noted)
    return event
