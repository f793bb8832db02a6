from graphrelay.sandbox.directory import contoso
from graphrelay.sandbox.entra.authorities import resolve
from graphrelay.sandbox.entra.grants import KEPT, Declined, Grants
from graphrelay.sandbox.entra.scopes import parse
from tests.clock import FakeClock


def test_the_oldest_grants_are_forgotten_first() -> None:
    directory = contoso()
    grants = Grants(FakeClock().now)
    user = directory.users[0]
    first = grants.add_session(user)
    second = grants.add_session(user)
    for _ in range(KEPT - 1):
        grants.add_session(user)
    assert first not in grants.sessions
    assert second in grants.sessions


def test_only_a_code_that_waits_is_found() -> None:
    directory = contoso()
    grants = Grants(FakeClock().now)
    wanted = parse("Mail.Send", "https://localhost:1", "app", "Contoso")
    authority = resolve("common", directory)
    waiting = [
        grants.add_device_code(directory.apps[0], authority, wanted, cae=False)[1] for _ in range(3)
    ]
    for request in reversed(waiting):
        found = grants.device_by_user_code(request.user_code)
        assert found is not None
        assert found.request is request
        request.state = Declined()
        assert grants.device_by_user_code(request.user_code) is None
