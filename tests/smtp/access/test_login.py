"""Passwords, and the cost of guessing them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from graphrelay.smtp.access.login import (
    LockedOut,
    Login,
    LoginBook,
    WrongPassword,
    hash_password,
    is_password_hash,
    verify,
)
from tests.clock import FakeClock, settle
from tests.smtp.passwords import quick_hash

SCANNER = Login("scanner", quick_hash("secret"))
WRONG = WrongPassword()


def test_a_password_is_verified_by_its_hash_and_no_other() -> None:
    made = hash_password("geheim ü")
    assert verify(made, "geheim ü")
    assert not verify(made, "geheim u")
    assert made != hash_password("geheim ü")
    assert made.startswith("$scrypt$ln=14,r=8,p=5$")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$scrypt$ln=99,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHQ$AAAA",
        "$scrypt$ln=14,r=8,p=1$c2E$" + "A" * 43,
        "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "$2b$12$abcdefghijklmnopqrstuv",
    ],
)
def test_what_is_no_hash_is_said_so(text: str) -> None:
    assert not is_password_hash(text)
    with pytest.raises(ValueError, match="password hash"):
        verify(text, "secret")


def test_the_hash_is_in_no_repr() -> None:
    assert "scrypt" not in repr(SCANNER)


async def at_once(check: Callable[[str], bool], password: str) -> bool:
    """In the event loop, so that a check takes only the clock's time."""
    return check(password)


def a_book(clock: FakeClock, *logins: Login) -> LoginBook:
    return LoginBook(logins or (SCANNER,), clock, at_once)


async def test_the_right_password_is_let_in_and_the_wrong_one_not() -> None:
    book = a_book(FakeClock())
    assert await book.check("192.0.2.1", "scanner", "secret") == SCANNER
    assert await book.check("192.0.2.1", "scanner", "Secret") == WRONG


async def tries(book: LoginBook, clock: FakeClock, client: str, password: str) -> object:
    """One attempt, with all the time that it takes."""
    check = asyncio.create_task(book.check(client, "scanner", password))
    while not check.done():
        await clock.advance(timedelta(seconds=0.5))
    return check.result()


async def test_each_wrong_password_makes_the_next_try_slower() -> None:
    clock = FakeClock()
    book = a_book(clock)
    taken = []
    for _ in range(4):
        began = clock.monotonic()
        check = asyncio.create_task(book.check("192.0.2.1", "scanner", "wrong"))
        await settle()
        while not check.done():
            await clock.advance(timedelta(seconds=0.5))
        assert check.result() == WRONG
        taken.append((clock.monotonic() - began).total_seconds())
    assert taken == [0, 0.5, 1, 2]


async def test_a_guesser_is_locked_out_for_a_while_and_nobody_else_is() -> None:
    clock = FakeClock()
    book = a_book(clock)
    for _ in range(10):
        assert await tries(book, clock, "192.0.2.1", "wrong") == WRONG
    assert isinstance(await tries(book, clock, "192.0.2.1", "secret"), LockedOut)
    assert await tries(book, clock, "192.0.2.2", "secret") == SCANNER
    await clock.advance(timedelta(minutes=5))
    assert await tries(book, clock, "192.0.2.1", "secret") == SCANNER


async def test_who_was_right_a_moment_ago_is_let_in_even_from_a_guessers_address() -> None:
    clock = FakeClock()
    book = a_book(clock)
    assert await tries(book, clock, "192.0.2.1", "secret") == SCANNER
    for _ in range(10):
        await tries(book, clock, "192.0.2.9", "wrong")
    assert await book.check("192.0.2.9", "scanner", "secret") == SCANNER


async def test_a_reload_forgets_right_passwords_only_where_the_hash_is_another() -> None:
    """Otherwise all clients that share an address with a guesser would wait after each reload."""
    clock = FakeClock()
    book = a_book(clock, SCANNER, Login("printer", quick_hash("secret")))
    for name in ("scanner", "printer"):
        assert isinstance(await book.check("192.0.2.1", name, "secret"), Login)
    for _ in range(10):
        await tries(book, clock, "192.0.2.1", "guess")
    book = book.with_logins((SCANNER, Login("printer", quick_hash("another"))))
    assert await book.check("192.0.2.1", "scanner", "secret") == SCANNER
    assert isinstance(await book.check("192.0.2.1", "printer", "secret"), LockedOut)
    book = book.with_logins(())
    assert isinstance(await book.check("192.0.2.1", "scanner", "secret"), LockedOut)


async def test_guesses_are_forgiven_after_a_quarter_of_an_hour() -> None:
    clock = FakeClock()
    book = a_book(clock)
    for _ in range(9):
        await tries(book, clock, "192.0.2.1", "wrong")
    await clock.advance(timedelta(minutes=16))
    before = clock.monotonic()
    assert await book.check("192.0.2.1", "scanner", "secret") == SCANNER
    assert clock.monotonic() == before


async def test_parallel_guesses_of_one_client_wait_for_each_other() -> None:
    clock = FakeClock()
    book = a_book(clock)
    checks = [
        asyncio.create_task(book.check("192.0.2.1", "scanner", f"guess {i}")) for i in range(5)
    ]
    await settle()
    assert sum(check.done() for check in checks) == 1
    await clock.advance(timedelta(seconds=0.5))
    assert sum(check.done() for check in checks) == 2
    await clock.advance(timedelta(seconds=1 + 2 + 4))
    assert all(check.done() for check in checks)


async def test_an_unknown_name_costs_the_same_check_as_a_known_one() -> None:
    """Otherwise the time of an answer would reveal which names exist."""
    made = []

    async def note(check: Callable[[str], bool], password: str) -> bool:
        made.append(check.__self__)  # type: ignore[attr-defined]
        return check(password)

    book = LoginBook((Login("known", hash_password("secret")),), FakeClock(), note)
    for name, client in (("known", "192.0.2.1"), ("unknown", "192.0.2.2")):
        assert await book.check(client, name, "wrong") == WRONG
    costs = [(one.cost, one.block, one.parallel, len(one.key)) for one in made]
    assert costs == [costs[0]] * 2


async def test_checking_a_password_does_not_stop_the_loop() -> None:
    """It waits for a thread, and the loop does not wait for it."""
    free, loop = threading.Event(), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, free.wait)
    check = asyncio.create_task(
        LoginBook((SCANNER,), FakeClock()).check("192.0.2.1", "scanner", "secret")
    )
    await settle()
    assert not check.done()
    free.set()
    assert await check == SCANNER
    assert await busy
