"""Sign-ins that are under way, without Entra: the same browser, once, in time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from graphrelay.console.access.microsoft import Begun, MicrosoftSignIns, Unwelcome, Welcome
from graphrelay.console.options import MicrosoftOptions, MicrosoftUser
from graphrelay.oauth.entra.responses import CodeRequest
from graphrelay.oauth.sign_in.authorizer import SIGN_IN_TIME
from graphrelay.oauth.sign_in.identities import Identities, Person, Unidentified
from tests.clock import FakeClock

ANNA = MicrosoftUser("anna@contoso.com", "0a", "viewer")
OPTIONS = MicrosoftOptions("website", "contoso.com", "c", (ANNA,))
KNOWN = Person("0a", "Anna@contoso.com")
BACK = {"state": "s1", "code": "c"}


class Entra:
    """Knows one person."""

    def __init__(self, person: Person | Unidentified) -> None:
        self.person = person
        self.begun = 0

    async def begin(self, account: str, redirect_uri: str) -> CodeRequest:
        self.begun += 1
        return CodeRequest(f"https://login/{account}", f"s{self.begun}", {})

    async def identify(
        self, account: str, request: CodeRequest, answer: Mapping[str, str]
    ) -> Person | Unidentified:
        return self.person


def sign_ins(
    person: Person | Unidentified = KNOWN,
) -> tuple[MicrosoftSignIns, FakeClock]:
    clock = FakeClock()
    return MicrosoftSignIns(cast(Identities, Entra(person)), clock), clock


async def begun(of: MicrosoftSignIns) -> str:
    found = await of.begin(OPTIONS, "http://localhost", "/queue")
    assert isinstance(found, Begun)
    return found.cookie


async def test_who_is_listed_is_welcome_once() -> None:
    of, _ = sign_ins()
    cookie = await begun(of)
    assert await of.complete(lambda: OPTIONS, cookie, BACK) == Welcome(ANNA, "/queue")
    assert isinstance(await of.complete(lambda: OPTIONS, cookie, BACK), Unwelcome)


async def test_cookie_and_state_are_of_one_sign_in() -> None:
    of, _ = sign_ins()
    first, second = await begun(of), await begun(of)
    assert first != second
    for cookie, state in ((second, "s1"), (first, "s2"), ("", "s1"), ("x", "s1")):
        assert isinstance(
            await of.complete(lambda: OPTIONS, cookie, BACK | {"state": state}), Unwelcome
        )
    assert isinstance(await of.complete(lambda: OPTIONS, first, BACK), Welcome)


async def test_it_ends_in_time() -> None:
    of, clock = sign_ins()
    cookie = await begun(of)
    await clock.advance(SIGN_IN_TIME)
    assert await of.complete(lambda: OPTIONS, cookie, BACK) == Unwelcome(
        "The sign-in took too long."
    )


async def test_who_is_removed_while_entra_is_asked_stays_out() -> None:
    of, _ = sign_ins()
    changing = iter((OPTIONS, replace(OPTIONS, users=())))
    found = await of.complete(lambda: next(changing), await begun(of), BACK)
    assert found == Unwelcome("The configuration was changed meanwhile.")


async def test_name_and_object_id_must_be_those_of_one_user() -> None:
    for person in (Person("0b", "anna@contoso.com"), Person("0a", "eve@contoso.com")):
        of, _ = sign_ins(person)
        assert isinstance(await of.complete(lambda: OPTIONS, await begun(of), BACK), Unwelcome)
    of, _ = sign_ins(Unidentified("no"))
    assert await of.complete(lambda: OPTIONS, await begun(of), BACK) == Unwelcome("no")
