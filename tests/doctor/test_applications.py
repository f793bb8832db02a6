"""Accounts without a person: tenant-wide, limited by a policy, or by a scope in Exchange."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.doctor.finding import LeftOut, NotKnown
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT, guid
from tests.doctor.practice import Practice, differing, only, practice_in, strict
from tests.world import world

OUTSIDE = "alice@contoso.com"
PATHS = ("path-own", "path-upn", "path-object-id", "probe", "denials", "revoked", "redirect")


@asynccontextmanager
async def application(folder: Path, account: str = "") -> AsyncIterator[Practice]:
    async with world(folder, account=account, mail_settings=strict()) as here:
        yield practice_in(here, folder)


@pytest.mark.parametrize("limited", [True, False])
async def test_a_policy_that_limits_the_application_is_seen(tmp_path: Path, limited: bool) -> None:
    async with application(tmp_path) as here:
        if limited:
            settings = here.world.cloud.mailboxes.settings
            settings.access_policies = {CONFIDENTIAL_CLIENT: {"wp@contoso.com"}}
        found = await here.visit(only(*PATHS, outside=OUTSIDE))
    assert differing(found).keys() == (
        {"path-object-id"} if limited else {"path-object-id", "probe"}
    )
    denied = "403 ErrorAccessDenied" if limited else "400 ErrorInvalidRecipients"
    assert f"outside: HTTP {denied}" in found["probe"].seen
    assert found["path-own"] == LeftOut(
        "the account's mailbox is not that of the user who signed in"
    )
    assert found["revoked"] == LeftOut("only with --revoke")
    assert found["redirect"] == LeftOut("nobody signs in to an application")


async def test_an_object_id_is_taken_from_the_configuration(tmp_path: Path) -> None:
    oid = guid("user/wp@contoso.com")
    account = f'user_ids = {{ "wp@contoso.com" = "{oid}" }}\n'
    async with application(tmp_path, account) as here:
        found = await here.visit(only(*PATHS))
        assert differing(found) == {}
        assert oid not in str(here.entries)


async def test_without_one_the_object_id_is_not_known(tmp_path: Path) -> None:
    async with application(tmp_path) as here:
        found = await here.visit(only("path-object-id"))
    assert isinstance(found["path-object-id"], NotKnown)
