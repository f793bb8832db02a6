"""TokenManager: one flight, saved before used, and mail that keeps flowing."""

from graphrelay.oauth.answers import Granted, Unauthorized
from graphrelay.oauth.authorize import Stored
from tests.oauth.conftest import DAEMON, WEBSITE, World


async def test_an_account_that_nobody_authorized_is_unauthorized(world: World) -> None:
    answer = await world.manager().token("website")
    assert isinstance(answer, Unauthorized)
    assert answer.remedy == "Run: graphrelay authorize website"
    assert world.asked() == 0


async def test_a_user_signs_in_and_gets_a_token(world: World) -> None:
    manager = world.manager()
    stored = await world.authorize(manager, WEBSITE)
    assert isinstance(stored, Stored), stored
    assert stored.who == "wp@contoso.com"
    answer = await manager.token("website")
    assert isinstance(answer, Granted), answer
    assert "Mail.Send" in answer.scopes


async def test_an_application_is_approved_and_gets_a_token(world: World) -> None:
    manager = world.manager()
    stored = await world.authorize(manager, DAEMON)
    assert isinstance(stored, Stored), stored
    answer = await manager.token("daemon")
    assert isinstance(answer, Granted), answer
    assert answer.scopes == ("Mail.Send",)
