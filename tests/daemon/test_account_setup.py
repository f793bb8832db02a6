"""The verb `set-up`: in a process of its own, with a reload after it has written."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.verb import Output, VerbError
from graphrelay.control.verbs.reload import InForce, NotInForce, ReloadRequests, ReloadResult
from graphrelay.daemon import account_setup
from graphrelay.daemon.account_setup import AccountSetup
from tests.guide.test_account import COMPLETE


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("", "utf-8")
    return path


async def set_up(
    path: Path, arguments: Mapping[str, Any], result: ReloadResult | None = None
) -> list[Output]:
    """The events of the verb if a reload ends with `result`; `None`: no reload may be requested."""

    async def nobody(what: str) -> str:
        raise AssertionError(what)

    async def answer() -> None:
        await reloads.asked()
        assert result is not None
        reloads.answer(result)

    reloads = ReloadRequests()
    answering = asyncio.create_task(answer())
    try:
        verb = AccountSetup(path, reloads).table()["set-up"]
        return [output async for output in verb(arguments, nobody)]
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def test_an_account_is_written_and_in_effect(config: Path) -> None:
    arguments = {"answers": COMPLETE, "write": True}
    kinds = [one["kind"] for one in await set_up(config, arguments, InForce((), ()))]
    assert kinds == ["answered", "written", "reloaded"]
    assert (config.parent / "accounts.d" / "website.toml").exists()


async def test_a_check_writes_nothing_and_reloads_nothing(config: Path) -> None:
    (found,) = await set_up(config, {"answers": COMPLETE})
    assert found["complete"]
    assert not (config.parent / "accounts.d").exists()


async def test_an_account_that_the_relay_refuses_does_not_stay(config: Path) -> None:
    with pytest.raises(VerbError, match=r"no such group\nThe account was not added"):
        await set_up(config, {"answers": COMPLETE, "write": True}, NotInForce(("no such group",)))
    assert list((config.parent / "accounts.d").iterdir()) == []


async def test_of_two_who_set_up_the_same_account_at_once_one_has_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second process starts when the first has ended: two that check before either of them
    writes may both write."""
    real, under_way = AccountSetup._answered, 0

    async def alone(self: AccountSetup, asked: Mapping[str, Any]) -> list[Output]:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        found = await real(self, asked)
        under_way -= 1
        return found

    async def nobody(what: str) -> str:
        raise AssertionError(what)

    async def answer() -> None:
        await reloads.asked()
        reloads.answer(InForce((), ()))

    async def one(client: str) -> list[Output]:
        answers = {**COMPLETE, "senders": "*@contoso.com", "client_id": client}
        return [output async for output in verb({"answers": answers, "write": True}, nobody)]

    monkeypatch.setattr(AccountSetup, "_answered", alone)
    reloads = ReloadRequests()
    verb = AccountSetup(config, reloads).table()["set-up"]
    answering = asyncio.create_task(answer())
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2)]
    first, second = await asyncio.gather(*map(one, ids))
    await answering
    assert [event["kind"] for event in first] == ["answered", "written", "reloaded"]
    assert [event["kind"] for event in second] == ["answered"], "and nothing was reloaded"
    [name] = (field for field in second[0]["fields"] if field["key"] == "account")
    assert name["problem"] == "there is an account of this name; choose another"
    [file] = (config.parent / "accounts.d").iterdir()
    assert ids[0] in file.read_text("utf-8")


async def test_a_configuration_with_mistakes_is_said(config: Path) -> None:
    config.write_text("[smtpd]\n", "utf-8")
    with pytest.raises(VerbError, match=r"has mistakes; correct them first\.\n.*smtpd"):
        await set_up(config, {"answers": COMPLETE, "write": True})


async def test_a_check_that_takes_too_long_is_ended(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_setup, "PATIENCE", 0)
    with pytest.raises(VerbError, match="checking the answers took more than 0 s"):
        await set_up(config, {"answers": COMPLETE})


async def test_answers_that_are_no_table_are_refused(config: Path) -> None:
    with pytest.raises(VerbError, match="answers must be a table"):
        await set_up(config, {"answers": ["x"]})
