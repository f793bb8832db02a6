"""Credentials that expire soon are reported in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    Certificate,
    ClientSecret,
    ManagedIdentity,
    ScopedUsers,
    SecretText,
)
from graphrelay.oauth.tokens.credential_expiry import credential_ends_at, ends_soon
from tests.oauth.conftest import DAEMON, WEBSITE, World
from tests.oauth.entra.test_credentials import CERTIFICATE, one_pem, trust
from tests.oauth.tokens.test_manager import quiet, running, stopped

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
YEAR_END = datetime(2027, 1, 1, tzinfo=UTC)


def noted(ends_at: datetime | None) -> Account:
    return replace(
        DAEMON, scenario=AnyUser(ClientSecret(SecretText("sandbox~secret.value"), ends_at))
    )


def test_a_certificate_says_when_it_ends(tmp_path: Path) -> None:
    account = replace(DAEMON, scenario=AnyUser(one_pem(tmp_path)))
    assert credential_ends_at(account) == YEAR_END
    assert CERTIFICATE.not_valid_after_utc == YEAR_END


def test_a_secret_ends_when_the_admin_noted_it() -> None:
    assert credential_ends_at(noted(YEAR_END)) == YEAR_END
    assert credential_ends_at(noted(None)) is None


def test_other_credentials_have_no_end_that_we_know(tmp_path: Path) -> None:
    assert credential_ends_at(WEBSITE) is None
    assert credential_ends_at(replace(DAEMON, scenario=AnyUser(ManagedIdentity()))) is None
    absent = AnyUser(Certificate(tmp_path / "absent.pem"))
    assert credential_ends_at(replace(DAEMON, scenario=absent)) is None


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(days=31), None),
        (timedelta(days=29, hours=5), "expires in 29 days"),
        (timedelta(hours=5), "expires today"),
        (-timedelta(days=2), "has expired"),
    ],
)
def test_the_warning_comes_thirty_days_ahead(left: timedelta, says: str | None) -> None:
    warning = ends_soon(DAEMON, NOW + left, NOW)
    assert (warning is None) is (says is None)
    if warning is not None and says is not None:
        assert says in warning.reason
        assert "client secret" in warning.reason
        assert "Certificates & secrets" in warning.remedy


async def test_status_warns_and_the_journal_does_daily(world: World, tmp_path: Path) -> None:
    trust(world, CERTIFICATE)
    account = replace(DAEMON, scenario=AnyUser(one_pem(tmp_path)))
    manager = world.manager(account)
    await world.authorize(manager, account)
    assert (await manager.status("daemon")).warning is None
    await world.clock.advance(timedelta(days=20))
    status = await manager.status("daemon")
    assert status.is_well
    assert status.warning is not None
    assert "certificate" in status.warning.reason
    assert status.evidence is not None
    assert status.evidence.credential_ends_at == YEAR_END
    background = await running(manager)
    for _ in range(3):
        await world.clock.advance(timedelta(hours=24))
        await quiet(manager)
        await manager.token("daemon")
    await stopped(background)
    assert 3 <= world.events().count("credential-ends") <= 4


async def test_what_is_too_broad_is_logged_daily(world: World) -> None:
    account = replace(
        DAEMON, scenario=ScopedUsers(ClientSecret(SecretText("sandbox~secret.value")))
    )
    manager = world.manager(account)
    await world.authorize(manager, account)
    background = await running(manager)
    assert world.events().count("too-broad") == 1
    await stopped(background)
