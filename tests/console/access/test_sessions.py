"""Sessions: made at sign-in, ended by time and by the removal of the user."""

from dataclasses import replace
from datetime import timedelta

from graphrelay.console.access.sessions import (
    MOST,
    MOST_EACH,
    Configured,
    ConsoleSession,
    Sessions,
)
from graphrelay.smtp.access.login import Login
from tests.clock import FakeClock
from tests.console.conftest import OPERATOR, VIEWER

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)


class Kept(Sessions):
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ends: list[tuple[str, str]] = []
        super().__init__(self.clock, IDLE, LONGEST, self._note)

    def _note(self, session: ConsoleSession, reason: str) -> None:
        self.ends.append((session.who, reason))


def test_a_session_is_found_by_the_value_that_it_was_opened_with_and_by_no_other() -> None:
    sessions = Kept()
    value = sessions.open("otto", "operator", "password")
    found = sessions.find(value)
    assert found is not None
    assert (found.who, found.role, found.may_act) == ("otto", "operator", True)
    assert sessions.find(value + "x") is None
    assert sessions.find("") is None
    assert value.encode() not in found.key


async def test_a_session_that_is_not_used_ends() -> None:
    sessions = Kept()
    value = sessions.open("otto", "operator", "link")
    await sessions.clock.advance(IDLE - timedelta(seconds=1))
    assert sessions.find(value)
    await sessions.clock.advance(IDLE - timedelta(seconds=1))
    assert sessions.find(value), "it was used meanwhile"
    await sessions.clock.advance(IDLE)
    assert sessions.find(value) is None
    assert sessions.ends == [("otto", "idle")]


async def test_a_page_that_renews_itself_keeps_no_session_alive() -> None:
    sessions = Kept()
    value = sessions.open("otto", "operator", "link")
    await sessions.clock.advance(IDLE / 2)
    session = sessions.find(value, uses=False)
    assert session is not None
    assert sessions.is_open(session)
    await sessions.clock.advance(IDLE / 2)
    assert not sessions.is_open(session)
    assert sessions.find(value, uses=False) is None


async def test_no_session_lasts_longer_than_it_may_however_much_it_is_used() -> None:
    sessions = Kept()
    value = sessions.open("otto", "operator", "link")
    for _ in range(48):
        assert sessions.find(value)
        await sessions.clock.advance(timedelta(minutes=15))
    assert sessions.find(value) is None
    assert sessions.ends == [("otto", "as long as a session may last")]


def test_a_reload_ends_the_sessions_of_users_who_were_removed_or_changed() -> None:
    sessions = Kept()
    values = {name: sessions.open(name, "operator", "password") for name in ("otto", "vera", "ida")}
    values["root"] = sessions.open("root", "operator", "link")
    ida = replace(OPERATOR, login=Login("ida", OPERATOR.login.password_hash))
    changed = replace(VIEWER, role="operator")
    before: Configured = {
        ("password", "otto"): OPERATOR,
        ("password", "vera"): VIEWER,
        ("password", "ida"): ida,
        ("microsoft", "ida"): "of another table",
    }
    after: Configured = {("password", "vera"): changed, ("password", "ida"): ida}
    sessions.use(before, after, IDLE, LONGEST)
    assert {name for name, value in values.items() if sessions.find(value)} == {"ida", "root"}


def test_there_are_never_more_than_so_many() -> None:
    sessions = Kept()
    first = sessions.open("otto", "operator", "link")
    for number in range(MOST):
        last = sessions.open(f"user {number}", "viewer", "password")
    assert sessions.find(first) is None
    assert sessions.find(last)
    assert sessions.ends == [("otto", "too many sessions")]


def test_who_signs_in_again_and_again_ends_nobody_elses_sessions() -> None:
    sessions = Kept()
    other = sessions.open("otto", "operator", "link")
    vera = [sessions.open("vera", "viewer", "password") for _ in range(MOST_EACH)]
    assert sessions.find(vera[0])
    for _ in range(MOST):
        sessions.open("vera", "viewer", "password")
    assert sessions.find(other)
    assert sessions.ends[0] == ("vera", "too many sessions of one user")
    assert len(sessions.ends) == MOST
    assert sessions.find(vera[0]) is None


def test_a_form_token_belongs_to_one_cookie_of_one_process() -> None:
    sessions, others = Kept(), Kept()
    token = sessions.form_token("cookie")
    assert sessions.is_form_token("cookie", token)
    assert not sessions.is_form_token("another", token)
    assert not sessions.is_form_token("cookie", "ä")
    assert not others.is_form_token("cookie", token)
    assert not sessions.is_form_token("", sessions.form_token(""))
